"""Let grants end: a consent that was given until a day is no consent after it.

A check never waits for this: it looks at the day itself. Here the end becomes a line of the ledger
and news for the brand.
"""

from collections import defaultdict
from uuid import UUID

import asyncpg
import structlog

from services.consent.evidence import Halves, Subject
from services.consent.queries import expiry as queries
from services.consent.queries.expiry import Ending
from services.consent.registry import Registry
from shared.contracts.consent import Evidence
from shared.ids import derived_id

log = structlog.get_logger()

BATCH = 100
_SOURCE = Evidence(source="expiry")


class Expiry:
    """A worker; any number of them can work side by side."""

    def __init__(self, registry: Registry) -> None:
        """Work in this registry."""
        self._registry = registry

    async def step(self) -> int:
        """End what is due, one batch; return how much was looked at."""
        async with self._registry.database.connection() as connection:
            due = await queries.find_due(connection, limit=BATCH)
        by_brand: dict[UUID, list[UUID]] = defaultdict(list)
        for brand_id, event_id in due:
            by_brand[brand_id].append(event_id)
        ended = 0
        for brand_id, event_ids in by_brand.items():
            async with self._registry.database.connection(brand_id) as connection:
                ended += await self._end(connection, brand_id, event_ids)
        if ended:
            self._registry.bell.ring()
            log.info("consent.expired", count=ended)
        return len(due)

    async def _end(
        self, connection: asyncpg.Connection, brand_id: UUID, event_ids: list[UUID]
    ) -> int:
        """End one brand's grants; what was granted again or revoked meanwhile is left alone."""
        taken = await queries.take(connection, event_ids=event_ids)
        await queries.lock_people(connection, brand_id=brand_id, event_ids=taken)
        endings = await queries.find_endings(connection, brand_id=brand_id, event_ids=taken)
        people = {ending.person_id for ending in endings}
        halves = await self._registry.evidences.under(connection, brand_id, people)
        for ending in endings:
            await self._end_one(connection, halves, brand_id, ending)
        return len(endings)

    async def _end_one(
        self, connection: asyncpg.Connection, halves: Halves, brand_id: UUID, ending: Ending
    ) -> None:
        event_id = derived_id(ending.event_id, "expired")
        half = halves.seal(
            _SOURCE,
            (),
            subject=Subject(ending.person_id, ending.channel, ending.address),
            brand_id=brand_id,
            event_id=event_id,
        )
        await queries.end(
            connection,
            brand_id=brand_id,
            ending=ending,
            event_id=event_id,
            sealed=half.sealed,
            commitment=half.commitment,
        )
