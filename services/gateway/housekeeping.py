"""What has to be tidied now and then: old answers, handled webhooks, when keys were last used."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from prometheus_client import Gauge

from services.gateway.auth import OPERATOR, Door
from services.gateway.idempotency import KEPT_FOR
from services.gateway.queries import idempotency, inbox, keys
from shared import clock
from shared.database import Database

USES_EVERY = 5.0
TIDY_EVERY = 600.0
_BATCH: Final = 1_000
_BRANDS: Final = 500

_WAITING = Gauge("permesso_inbox_waiting", "Rows of work that wait, of all gateways.")
_OLDEST = Gauge("permesso_inbox_oldest_seconds", "Since when the oldest of them is due.")


@dataclass
class Housekeeper:
    """One worker for all of it; each step does what is due."""

    database: Database
    door: Door
    inbox_days: int
    _uses_at: float = 0.0
    _tidy_at: float = field(default_factory=lambda: clock.ticks() + 60.0)

    async def step(self) -> int:
        """Tidy what is due; return 0, so that the rest between two steps is a full one."""
        now = clock.ticks()
        if now >= self._uses_at:
            self._uses_at = now + USES_EVERY
            await self.door.store_uses()
            await self._measure()
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_EVERY
            await self.tidy()
        return 0

    async def tidy(self) -> int:
        """Delete what is old enough, brand by brand, and return how many rows that was."""
        deleted = await self._tidy_brand(OPERATOR)
        after: UUID | None = None
        while True:
            async with self.database.begin() as session:
                page = await keys.brands(session, after=after, limit=_BRANDS)
            for brand in page:
                deleted += await self._tidy_brand(brand.id)
            if len(page) < _BRANDS:
                return deleted
            after = page[-1].id

    async def _tidy_brand(self, brand_id: UUID) -> int:
        now = clock.now()
        # An id begins with the milliseconds of its making, so ids below this one are older.
        oldest = int((now - timedelta(days=self.inbox_days)).timestamp() * 1000)
        deleted = 0
        while True:
            async with self.database.connection(brand_id) as connection:
                answers = await idempotency.forget(
                    connection, brand_id=brand_id, before=now - KEPT_FOR, limit=_BATCH
                )
                rows = await inbox.forget(
                    connection, brand_id=brand_id, before=UUID(int=oldest << 80), limit=_BATCH
                )
            deleted += answers + rows
            if max(answers, rows) < _BATCH:
                return deleted

    async def _measure(self) -> None:
        async with self.database.connection() as connection:
            backlog = await inbox.backlog(connection)
        _WAITING.set(backlog["waiting"])
        due_at = backlog["due_at"]
        age = 0.0 if due_at is None else (clock.now() - due_at).total_seconds()
        _OLDEST.set(max(0.0, age))
