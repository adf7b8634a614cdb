"""Let pauses end: by themselves when their time has come, or as a no when nobody decided in time.

A check never waits for the first: it looks at the moment itself. The second was silent all along,
so nothing has to be halted.
"""

from dataclasses import replace
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Gauge

from services.consent import pausing, policy
from services.consent.deeds import Case
from services.consent.queries import ledger, pauses, people
from services.consent.queries.pauses import Pause
from services.consent.registry import Registry
from shared.contracts.consent import ConsentEventIn, Evidence
from shared.ids import derived_id

log = structlog.get_logger()

BATCH = 100
OF_ITSELF = "pause.end"
NOBODY_DECIDED = "review.timeout"

_OPEN = Gauge("permesso_consent_reviews_open", "Doubtful words that wait for a decision.")
_DUE = Gauge(
    "permesso_consent_reviews_oldest_due_timestamp_seconds",
    "When the first of them becomes a revocation; 0 where there is none.",
)


class PauseEnds:
    """A worker; any number of them can work side by side."""

    def __init__(self, registry: Registry) -> None:
        """Work in this registry."""
        self._registry = registry

    async def step(self) -> int:
        """End what is due, one batch; return how much was looked at."""
        async with self._registry.database.connection() as connection:
            due = await pauses.find_due(connection, limit=BATCH)
            waiting, first = await pauses.reviews_due(connection)
        _OPEN.set(waiting)
        _DUE.set(first.timestamp() if first is not None else 0)
        for brand_id, event_id in due:
            # Each in a transaction of its own: whoever speaks up now waits for one person at most.
            async with self._registry.database.connection(brand_id) as connection:
                await self._end(connection, brand_id, event_id)
        if due:
            self._registry.bell.ring()
            log.info("consent.pauses_ended", count=len(due))
        return len(due)

    async def _end(self, connection: asyncpg.Connection, brand_id: UUID, event_id: UUID) -> None:
        pause = await pauses.of_event(connection, brand_id=brand_id, event_id=event_id)
        if pause is not None:
            place = await people.find_place(
                connection, brand_id=brand_id, account_id=pause.account_id, address=pause.address
            )
            assert place is not None  # Accounts are never forgotten.
            await people.lock_person(connection, place, suppressor=self._registry.suppressor)
            # Somebody may have ended it, or made it longer, before we had the lock.
            pause = await pauses.of_event(connection, brand_id=brand_id, event_id=event_id)
            if pause is not None:
                await self._end_one(await self._case(connection, place, pause), pause)
                return
        await pauses.end(connection, brand_id=brand_id, event_ids=[event_id])

    async def _case(
        self, connection: asyncpg.Connection, place: people.Place, pause: Pause
    ) -> Case:
        asked = pause.kind == "asked"
        event = ConsentEventIn(
            id=derived_id(pause.event_id, "ended"),
            brand_id=place.brand_id,
            action="resume" if asked else "revoke",
            account_id=pause.account_id,
            address=pause.address,
            scope=pause.scope,
            evidence=Evidence(source=OF_ITSELF if asked else NOBODY_DECIDED),
        )
        situation = await ledger.look(
            connection, place, person_id=pause.person_id, purposes=(policy.MARKETING,)
        )
        halves = await self._registry.evidences.under(connection, place.brand_id, [pause.person_id])
        return Case(connection, halves, event, place, pause.person_id, situation)

    async def _end_one(self, case: Case, pause: Pause) -> None:
        if pause.kind == "asked":
            await pausing.go_on(case, [pause])
        else:
            await pausing.revoke(replace(case, action="review"))
