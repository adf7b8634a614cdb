"""Two persons who are one: merged because a brand says so, and taken apart when it was wrong.

    merge   lock both → a no of either holds for both → the kept one gets addresses and denials
    split   lock both → each has their addresses again → every no stays on both

Neither ever widens consent. A grant belongs to one address and stays there; a no wins over it,
whichever came first, since nobody asked the one person about the other. A split restores no grant.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from services.consent.answers import id_reused
from services.consent.evidence import Subject
from services.consent.queries import ledger, merges, pauses, people
from services.consent.queries.ledger import Entry
from services.consent.queries.merges import Held
from services.consent.registry import Registry
from shared.contracts.consent import ConsentRecorded, Evidence, Reached, Scope
from shared.contracts.merges import MergeIn, SplitIn
from shared.ids import derived_id
from shared.problems import Problem

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Line:
    """What a line says of one of the two."""

    event_id: UUID
    person_id: UUID
    action: str
    evidence: Evidence
    now: datetime
    reaches: tuple[Reached, ...] = ()


async def merge(registry: Registry, order: MergeIn) -> ConsentRecorded:
    """Let two persons be one; `reaches` says where a no holds now: what must be halted.

    Raises `Problem`: 404 `unknown_person`, 409 `already_merged` or `id_reused`, 422.
    """
    if order.kept_id == order.gone_id:
        wrong = {"pointer": "/person_id", "message": "This is the person themselves."}
        raise Problem(422, "invalid", "Some fields are wrong.", errors=[wrong])
    async with registry.database.connection(order.brand_id) as connection:
        held = await merges.lock(connection, order.brand_id, [order.kept_id, order.gone_id])
        if (before := await _before(registry, connection, order, "merge")) is not None:
            return before
        kept, gone = _both(held, order.kept_id, order.gone_id)
        recorded = await _merge(registry, connection, order, kept, gone)
    registry.bell.ring()
    log.info("person.merged", brand=order.brand_id, merge=order.id, seq=recorded.seq)
    return recorded


async def split(registry: Registry, order: SplitIn) -> ConsentRecorded:
    """Take a merge back: each has their own addresses again, and every no stays on both.

    Raises `Problem`: 404 `unknown_merge`, 409 `already_split`, `already_merged` or `id_reused`.
    """
    async with registry.database.connection(order.brand_id) as connection:
        found = await merges.find(connection, order.brand_id, order.merge_id)
        if found is None or UUID(int=found["kept_id"].int) != order.kept_id:
            raise Problem(404, "unknown_merge", "This person has no such merge.")
        gone_id = UUID(int=found["gone_id"].int)
        held = await merges.lock(connection, order.brand_id, [order.kept_id, gone_id])
        if (before := await _before(registry, connection, order, "split")) is not None:
            return before
        # Once more, under the locks: another split may have been first.
        found = await merges.find(connection, order.brand_id, order.merge_id)
        if found is None or found["split_at"] is not None:
            raise Problem(409, "already_split", "This merge was taken back before.")
        kept, gone = held[order.kept_id], held[gone_id]
        if kept.merged_into is not None:
            text = "This person was merged into another one meanwhile: take that back first."
            raise Problem(409, "already_merged", text)
        recorded = await _split(registry, connection, order, found, kept, gone)
    registry.bell.ring()
    log.info("person.split", brand=order.brand_id, merge=order.merge_id, seq=recorded.seq)
    return recorded


async def _merge(
    registry: Registry, connection: asyncpg.Connection, order: MergeIn, kept: Held, gone: Held
) -> ConsentRecorded:
    brand_id, now = order.brand_id, await _now(connection)
    reaches = (
        *await merges.reaches(connection, brand_id, of=kept.id, denials_of=gone.id),
        *await merges.reaches(connection, brand_id, of=gone.id, denials_of=kept.id),
    )
    told = _told(order.evidence, f"{gone.id} became one with {kept.id}")
    second = derived_id(order.id, "merged")
    await _write(registry, connection, brand_id, _Line(second, gone.id, "merge", told, now))
    line = _Line(order.id, kept.id, "merge", told, now, reaches)
    recorded = await _write(registry, connection, brand_id, line)
    for of, denials_of in ((kept, gone), (gone, kept)):
        await merges.revoke(
            connection,
            brand_id,
            of=of.id,
            denials_of=denials_of.id,
            event_id=order.id,
            seq=recorded.seq,
            at=now,
        )
    await merges.share_denials(connection, brand_id, to=kept.id, of=gone.id)
    await merges.share_contacts(connection, brand_id, to=kept.id, of=gone.id)
    moved = await merges.give(connection, brand_id, of=gone.id, to=kept.id)
    await pauses.reckon(connection, brand_id=brand_id, person_id=kept.id)
    added = _added(kept, gone)
    await merges.describe(connection, brand_id, _with(kept, added))
    await merges.set_merged(connection, brand_id, gone.id, into=kept.id)
    await merges.remember(
        connection,
        brand_id,
        order.id,
        kept_id=kept.id,
        gone_id=gone.id,
        moved=moved,
        added=added,
        at=now,
    )
    await ledger.tell(
        connection, seq=recorded.seq, brand_id=brand_id, event_id=order.id, type="person.merged"
    )
    return recorded


async def _split(
    registry: Registry,
    connection: asyncpg.Connection,
    order: SplitIn,
    found: asyncpg.Record,
    kept: Held,
    gone: Held,
) -> ConsentRecorded:
    brand_id, now = order.brand_id, await _now(connection)
    told = _told(order.evidence, f"{gone.id} is not {kept.id}: merge {order.merge_id} taken back")
    await merges.share_denials(connection, brand_id, to=gone.id, of=kept.id)
    await merges.share_contacts(connection, brand_id, to=gone.id, of=kept.id)
    await merges.give(connection, brand_id, of=kept.id, to=gone.id, only=found["moved"])
    for each in (kept, gone):
        await pauses.reckon(connection, brand_id=brand_id, person_id=each.id)
    await merges.set_merged(connection, brand_id, gone.id, into=None)
    await merges.describe(connection, brand_id, _without(kept, found["added"]))
    await merges.end(connection, brand_id, order.merge_id, at=now)
    second = derived_id(order.id, "split")
    await _write(registry, connection, brand_id, _Line(second, gone.id, "split", told, now))
    line = _Line(order.id, kept.id, "split", told, now)
    recorded = await _write(registry, connection, brand_id, line)
    await ledger.tell(
        connection, seq=recorded.seq, brand_id=brand_id, event_id=order.id, type="person.split"
    )
    return recorded


async def _before(
    registry: Registry, connection: asyncpg.Connection, order: MergeIn | SplitIn, action: str
) -> ConsentRecorded | None:
    """Return what was answered when this id was recorded first."""
    line = await ledger.find_event(connection, brand_id=order.brand_id, event_id=order.id)
    if line is None:
        return None
    if (line["action"], UUID(int=line["person_id"].int)) != (action, order.kept_id):
        raise id_reused()
    halves = await registry.evidences.of(connection, order.brand_id, [order.kept_id])
    sealed = halves.open(
        line["sealed"], person_id=order.kept_id, brand_id=order.brand_id, event_id=order.id
    )
    return ConsentRecorded(
        id=order.id,
        seq=line["seq"],
        person_id=line["person_id"],
        state=line["outcome"],
        reason=line["reason"],
        effective_at=line["recorded_at"],
        reaches=sealed.reaches,
    )


async def _write(
    registry: Registry, connection: asyncpg.Connection, brand_id: UUID, line: _Line
) -> ConsentRecorded:
    """Append a line about one person, at the place where they were met first."""
    known = await merges.somewhere(connection, brand_id, line.person_id)
    if known is None:
        text = "A person without any address cannot be merged or taken apart."
        raise Problem(409, "nowhere_known", text)
    place = await people.find_place(
        connection, brand_id=brand_id, account_id=known["account_id"], address=known["address"]
    )
    assert place is not None
    halves = await registry.evidences.under(connection, brand_id, [line.person_id])
    half = halves.seal(
        line.evidence,
        line.reaches,
        subject=Subject(line.person_id, place.channel, place.address),
        brand_id=brand_id,
        event_id=line.event_id,
    )
    entry = Entry(
        id=line.event_id,
        place=place,
        person_id=line.person_id,
        action=line.action,
        purpose="marketing",
        scope=Scope.BRAND,
        held_scope=Scope.BRAND,
        purposes=_purposes(line.reaches),
        sealed=half.sealed,
        commitment=half.commitment,
        platform_at=None,
        recorded_at=line.now,
        outcome="revoked" if line.reaches else "unchanged",
    )
    return ConsentRecorded(
        id=line.event_id,
        seq=await ledger.append(connection, entry),
        person_id=line.person_id,
        state=entry.outcome,
        effective_at=line.now,
        reaches=line.reaches,
    )


def _both(held: dict[UUID, Held], kept_id: UUID, gone_id: UUID) -> tuple[Held, Held]:
    if kept_id not in held or gone_id not in held:
        text = "The registry knows no such person of this brand."
        raise Problem(404, "unknown_person", text)
    for person in held.values():
        if person.merged_into is not None:
            text = f"Person {person.id} was merged into {person.merged_into} before."
            raise Problem(409, "already_merged", text)
    return held[kept_id], held[gone_id]


async def _now(connection: asyncpg.Connection) -> datetime:
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now


def _told(evidence: Evidence, what: str) -> Evidence:
    """Return the brand's evidence with what was done; both are under the line's seal."""
    return evidence.model_copy(update={"rule": what})


def _purposes(reaches: Sequence[Reached]) -> tuple[str, ...]:
    return tuple(sorted({purpose for each in reaches for purpose in each.purposes}))


def _added(kept: Held, gone: Held) -> dict[str, Any]:
    """Say what the kept person gets from the other: whatever it did not have itself."""
    return {
        "language": gone.language if kept.language is None else None,
        "timezone": gone.timezone if kept.timezone is None else None,
        "quiet": gone.quiet if kept.quiet is None else None,
        "tags": sorted(set(gone.tags) - set(kept.tags)),
        "attributes": {k: v for k, v in gone.attributes.items() if k not in kept.attributes},
    }


def _with(kept: Held, added: dict[str, Any]) -> Held:
    tags, attributes = added["tags"], added["attributes"]
    described = replace(
        kept,
        language=kept.language or added["language"],
        timezone=kept.timezone or added["timezone"],
        tags=sorted({*kept.tags, *tags}),
        attributes={**kept.attributes, **attributes},
    )
    return described.with_quiet(kept.quiet or added["quiet"])


def _without(kept: Held, added: dict[str, Any]) -> Held:
    """Take away what came from the other and is still as it came."""
    tags, attributes = added["tags"], added["attributes"]
    described = replace(
        kept,
        language=None if kept.language == added["language"] else kept.language,
        timezone=None if kept.timezone == added["timezone"] else kept.timezone,
        tags=sorted(set(kept.tags) - set(tags)),
        attributes={
            name: value
            for name, value in kept.attributes.items()
            if name not in attributes or attributes[name] != value
        },
    )
    # A merge of before there were hours brought none.
    return described.with_quiet(None if kept.quiet == added.get("quiet") else kept.quiet)
