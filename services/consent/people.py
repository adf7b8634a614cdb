"""People as one brand knows them: found, shown, changed; and all that was ever recorded of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.consent.evidence import Halves
from services.consent.moments import endless
from services.consent.queries import history as queries
from services.consent.registry import Registry
from services.consent.tables import AccountRow, AddressRow, IdentityRow, PersonRow, StateRow
from shared import clock
from shared.contracts.clock import QuietHours
from shared.contracts.consent import (
    ConsentState,
    History,
    HistoryEntry,
    Person,
    PersonAddress,
    PersonChange,
)
from shared.contracts.exports import MovedAddress, PersonMerge, PersonMerges
from shared.database import Database
from shared.problems import Problem

_EMPTY: Mapping[str, object] = {"language": None, "timezone": None, "tags": (), "attributes": {}}


async def find_person(
    database: Database,
    *,
    brand_id: UUID,
    address: str,
    channel: str | None = None,
    account_id: UUID | None = None,
) -> Person:
    """Return who is behind an address of a channel, or of an account's channel; or a 404."""
    async with database.begin(brand_id) as session:
        if account_id is not None:
            account = await session.get(AccountRow, (brand_id, account_id))
            channel = account.channel if account else ""
        identity = await session.get(IdentityRow, (brand_id, channel, address))
        if identity is None:
            raise nobody()
        return await _person(session, await _row(session, brand_id, identity.person_id))


async def get_person(database: Database, *, brand_id: UUID, person_id: UUID) -> Person:
    """Return a person, or a 404."""
    async with database.begin(brand_id) as session:
        return await _person(session, await _row(session, brand_id, person_id))


async def change_person(
    database: Database, *, brand_id: UUID, person_id: UUID, change: PersonChange
) -> Person:
    """Change what is given; `None` takes a value away, what is left out stays."""
    async with database.begin(brand_id) as session:
        row = await _row(session, brand_id, person_id, lock=True)
        if row.merged_into is not None:
            text = f"This person was merged into {row.merged_into}: change that one."
            raise Problem(409, "already_merged", text)
        for name in change.model_fields_set - {"quiet_hours"}:
            given = getattr(change, name)
            setattr(row, name, _EMPTY[name] if given is None else given)
        if "quiet_hours" in change.model_fields_set:
            hours = change.quiet_hours
            row.quiet_start, row.quiet_end = hours.times if hours else (None, None)
        row.tags = sorted(set(row.tags))
        await session.flush()
        return await _person(session, row)


async def history(
    registry: Registry, *, brand_id: UUID, person_id: UUID, after: int, limit: int
) -> History:
    """Return what was recorded of a person, with its evidence, in the ledger's order; or a 404."""
    async with registry.database.begin(brand_id) as session:
        await _row(session, brand_id, person_id)
    async with registry.database.connection(brand_id) as connection:
        lines = await queries.lines(
            connection, brand_id=brand_id, person_id=person_id, after=after, limit=limit
        )
        # Lines of whoever was merged into this person are under keys of their own.
        people = {UUID(int=line["person_id"].int) for line in lines}
        halves = await registry.evidences.of(connection, brand_id, people)
    if not all(map(halves.has, people)):
        raise nobody()
    items = tuple(_entry(halves, brand_id, line) for line in lines)
    return History(items=items, next=items[-1].seq if len(items) == limit else None)


async def merges(database: Database, *, brand_id: UUID, person_id: UUID) -> PersonMerges:
    """Return who became one with a person, and with which addresses; or a 404."""
    async with database.begin(brand_id) as session:
        await _row(session, brand_id, person_id)
    async with database.connection(brand_id) as connection:
        rows = await queries.merges(connection, brand_id=brand_id, person_id=person_id)
    return PersonMerges(
        items=tuple(
            PersonMerge(
                id=row["id"],
                person_id=row["gone_id"],
                into=row["kept_id"],
                at=row["at"],
                addresses=tuple(
                    MovedAddress(channel=channel, address=address)
                    for channel, address in row["moved"]
                ),
            )
            for row in rows
        )
    )


def _entry(halves: Halves, brand_id: UUID, line: asyncpg.Record) -> HistoryEntry:
    sealed = halves.open(
        line["sealed"], person_id=line["person_id"], brand_id=brand_id, event_id=line["id"]
    )
    return HistoryEntry(
        id=line["id"],
        seq=line["seq"],
        action=line["action"],
        account_id=line["account_id"],
        address=sealed.subject.address,
        purpose=line["purpose"],
        scope=line["held_scope"],
        recorded_at=line["recorded_at"],
        expires_at=line["expires_at"],
        evidence=sealed.evidence,
    )


async def _row(
    session: AsyncSession, brand_id: UUID, person_id: UUID, *, lock: bool = False
) -> PersonRow:
    row = await session.get(PersonRow, (brand_id, person_id), with_for_update=lock)
    if row is None:
        raise nobody()
    return row


async def _person(session: AsyncSession, row: PersonRow) -> Person:
    # SQLModel types a column as the value it holds; created_at is never none once it is stored.
    assert row.created_at is not None
    return Person(
        id=row.id,
        language=row.language,
        timezone=row.timezone,
        quiet_hours=_hours(row),
        tags=tuple(row.tags),
        attributes=row.attributes,
        created_at=row.created_at,
        merged_into=row.merged_into,
        addresses=await _addresses(session, row),
        consents=await _consents(session, row),
    )


def _hours(row: PersonRow) -> QuietHours | None:
    if row.quiet_start is None or row.quiet_end is None:
        return None
    return QuietHours(start=f"{row.quiet_start:%H:%M}", end=f"{row.quiet_end:%H:%M}")


async def _addresses(session: AsyncSession, row: PersonRow) -> tuple[PersonAddress, ...]:
    statement = (
        select(AddressRow, col(AccountRow.channel))
        .join(
            AccountRow,
            (col(AccountRow.brand_id) == col(AddressRow.brand_id))
            & (col(AccountRow.id) == col(AddressRow.account_id)),
        )
        .where(col(AddressRow.brand_id) == row.brand_id, col(AddressRow.person_id) == row.id)
        .order_by(col(AddressRow.created_at), col(AddressRow.account_id))
    )
    return tuple(
        PersonAddress(
            account_id=known.account_id,
            channel=channel,
            address=known.address,
            blocked_at=known.blocked_at,
        )
        for known, channel in (await session.execute(statement)).all()
    )


async def _consents(session: AsyncSession, row: PersonRow) -> tuple[ConsentState, ...]:
    statement = (
        select(StateRow)
        .where(col(StateRow.brand_id) == row.brand_id, col(StateRow.person_id) == row.id)
        .order_by(col(StateRow.account_id), col(StateRow.address), col(StateRow.purpose))
    )
    now = clock.now()
    states: Sequence[StateRow] = (await session.scalars(statement)).all()
    return tuple(
        ConsentState(
            account_id=state.account_id,
            address=state.address,
            purpose=state.purpose,
            status=state.status,
            since=state.since,
            expires_at=state.expires_at,
            paused=_is_paused(state, now),
            paused_until=_pause_end(state, now),
            uses_left=state.uses_left if state.status == "granted" else None,
            consent_event_id=state.event_id,
            seq=state.seq,
        )
        for state in states
    )


def _is_paused(state: StateRow, now: datetime) -> bool:
    until = state.paused_until
    return until is not None and (endless(until) or until > now)


def _pause_end(state: StateRow, now: datetime) -> datetime | None:
    """Return when a pause ends that holds now; none where nobody knows yet."""
    until = state.paused_until
    return until if until is not None and _is_paused(state, now) and not endless(until) else None


def nobody() -> Problem:
    """Return the refusal of an id that is nobody's, or nobody's any more."""
    return Problem(404, "unknown_person", "The registry knows no such person of this brand.")
