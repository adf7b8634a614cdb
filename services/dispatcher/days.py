"""Make the partitions of the days to come, and of older days that an event still belongs to."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from weakref import WeakKeyDictionary

import structlog

from services.dispatcher.queries.events import ensure_days, missing_days
from shared import clock
from shared.database import Database

log = structlog.get_logger()

AHEAD = 7
"""Days that are made in advance."""
_EVERY = 3_600.0
"""Seconds between two looks."""

_known: WeakKeyDictionary[Database, set[date]] = WeakKeyDictionary()
"""Days of each database that have been seen to have their partition."""


class DayKeeper:
    """A worker that keeps a week of partitions ahead."""

    def __init__(self, database: Database) -> None:
        """Look at once when started."""
        self._database = database
        self._next_at = float("-inf")

    async def step(self) -> int:
        """Make what is missing, once an hour; return how many partitions were made."""
        if clock.ticks() < self._next_at:
            return 0
        today = clock.now().astimezone(UTC).date()
        async with self._database.connection() as connection:
            made = await ensure_days(
                connection, today - timedelta(days=1), today + timedelta(days=AHEAD)
            )
        self._next_at = clock.ticks() + _EVERY
        if made:
            log.info("days.made", partitions=made)
        return 0


async def have_days(database: Database, moments: Iterable[datetime]) -> None:
    """Make the missing partitions for these moments, in a transaction of their own."""
    known = _known.setdefault(database, set())
    days = {moment.astimezone(UTC).date() for moment in moments} - known
    if not days:
        return
    async with database.connection() as connection:
        for day in await missing_days(connection, sorted(days)):
            await ensure_days(connection, day, day)
    # Only days that nobody will drop for a long time.
    oldest = clock.now().astimezone(UTC).date() - timedelta(days=1)
    known |= {day for day in days if day >= oldest}
