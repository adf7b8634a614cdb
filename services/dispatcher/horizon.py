"""Watch for a snapshot that somebody holds: while it lasts, PostgreSQL clears nothing away.

The queue is made so that a claim does not mind (`queries/slips.py`), but tables and indexes grow
for as long as it lasts. Our own sessions are cut after 30 s of doing nothing; an analyst's is not.
"""

import structlog
from prometheus_client import Gauge

from shared import clock
from shared.database import Database

log = structlog.get_logger()

TOO_OLD = 60.0
"""Seconds of a transaction after which somebody should look whose it is."""
EVERY = 15.0
_OLDEST = Gauge(
    "permesso_oldest_snapshot_seconds", "Age of the oldest transaction with a snapshot."
)


class Horizon:
    """A worker that measures the oldest snapshot, and says so in the log when it is too old."""

    def __init__(self, database: Database) -> None:
        """Look at once when started."""
        self._database = database
        self._next_at = float("-inf")

    async def step(self) -> int:
        """Look, every fifteen seconds; nothing is ever left to do at once."""
        if clock.ticks() < self._next_at:
            return 0
        async with self._database.connection() as connection:
            seconds: float = await connection.fetchval("SELECT dispatcher.oldest_snapshot()")
        self._next_at = clock.ticks() + EVERY
        _OLDEST.set(seconds)
        if seconds > TOO_OLD:
            log.warning("database.snapshot_held", seconds=round(seconds))
        return 0
