"""Say in time that a consent will run out, once for each grant.

A line of the ledger and news in the feed; nobody is called. Whoever follows the feed comes back for
the words of the question (`refreshing`).
"""

from datetime import datetime
from uuid import UUID

import asyncpg
import structlog

from services.consent import terms
from services.consent.deeds import Case, append, line, tell
from services.consent.queries import ledger, people
from services.consent.queries import refreshes as queries
from services.consent.queries.people import Place
from services.consent.queries.refreshes import Standing
from services.consent.registry import Registry
from shared.contracts.consent import ConsentEventIn, Evidence
from shared.ids import derived_id

log = structlog.get_logger()

BATCH = 100
_SOURCE = Evidence(source="expiry")


def refresh_id(grant: UUID) -> UUID:
    """Return the id of the line that says that a grant will run out."""
    return derived_id(grant, "refresh")


class Expiring:
    """A worker; any number of them can work side by side."""

    def __init__(self, registry: Registry) -> None:
        """Work in this registry."""
        self._registry = registry

    async def step(self) -> int:
        """Say it of what is due, one batch; return how much was looked at."""
        async with self._registry.database.connection() as connection:
            due = await queries.find_due(connection, limit=BATCH)
        told = 0
        for brand_id, event_id in due:
            # Each in a transaction of its own: whoever speaks up now waits for one person at most.
            async with self._registry.database.connection(brand_id) as connection:
                told += await self._look(connection, brand_id, event_id)
        if told:
            self._registry.bell.ring()
            log.info("consent.expiring", count=told)
        return len(due)

    async def _look(self, connection: asyncpg.Connection, brand_id: UUID, event_id: UUID) -> bool:
        """Look at one grant; what was renewed, revoked or ended meanwhile is left alone."""
        standing = await queries.of_event(connection, brand_id=brand_id, event_id=event_id)
        if standing is None:
            await queries.look_again(connection, event_id=event_id, at=None)
            return False
        place = await people.find_place(
            connection,
            brand_id=brand_id,
            account_id=standing.account_id,
            address=standing.address,
        )
        assert place is not None  # Accounts are never forgotten.
        person_id = await people.lock_person(
            connection, place, suppressor=self._registry.suppressor
        )
        # They may have said something before we had the lock.
        standing = await queries.of_event(connection, brand_id=brand_id, event_id=event_id)
        situation = await ledger.look(
            connection, place, person_id=person_id, purposes=(standing.purpose,) if standing else ()
        )
        at = _ask_at(standing, place, now=situation.now)
        later = at if at is not None and at > situation.now else None
        mine = await queries.look_again(connection, event_id=event_id, at=later)
        if standing is None or at is None or later is not None or not mine:
            return False
        halves = await self._registry.evidences.under(connection, brand_id, [person_id])
        event = ConsentEventIn(
            id=refresh_id(event_id),
            brand_id=brand_id,
            action="seen",
            account_id=place.account_id,
            address=place.address,
            purpose=standing.purpose,
            evidence=_SOURCE,
        )
        case = Case(connection, halves, event, place, person_id, situation, action="refresh")
        drawn = line(case, "unchanged", expires_at=standing.expires_at)
        await tell(case, await append(case, drawn), "consent.expiring")
        return True


def _ask_at(standing: Standing | None, place: Place, *, now: datetime) -> datetime | None:
    """Return when to ask, by the rules that the brand has now; None for never."""
    if standing is None:
        return None
    lasts = standing.expires_at - standing.since
    days = place.policy.refresh_days
    after = terms.ask_after(standing.purpose, lasts=lasts, days=days)
    if after is None:
        return None
    return terms.ask_at(
        standing.since + after,
        now=now,
        ends=standing.expires_at,
        blocked=standing.blocked,
        paused=standing.paused,
        paused_until=standing.paused_until,
    )
