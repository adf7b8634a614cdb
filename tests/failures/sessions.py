"""What the dispatcher's connections to PostgreSQL are seen doing, looked at all the while."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from tests.failures.brand import Brand

_EVERY = 0.1
_LOOK = """
SELECT count(*), max(extract(epoch FROM clock_timestamp() - xact_start))::float8
FROM pg_stat_activity WHERE usename = 'permesso_dispatcher'
"""


@dataclass
class Sessions:
    """The most connections at once, and the longest that a transaction was open, in seconds."""

    most: int = 0
    longest: float = 0.0


@asynccontextmanager
async def watched_sessions(brand: Brand) -> AsyncIterator[Sessions]:
    """Look ten times a second for as long as the block lasts."""
    sessions = Sessions()
    connection = await asyncpg.connect(brand.owner_url)

    async def look() -> None:
        while True:
            number, longest = await connection.fetchrow(_LOOK)
            sessions.most = max(sessions.most, number)
            sessions.longest = max(sessions.longest, longest or 0.0)
            await asyncio.sleep(_EVERY)

    looking = asyncio.create_task(look())
    try:
        yield sessions
        assert not looking.done(), looking
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await connection.close()
