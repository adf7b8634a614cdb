"""What the counts of a campaign's messages are added up from."""

from datetime import datetime
from uuid import UUID

import asyncpg

_LONG = """
SELECT campaign_id FROM dispatcher.tally WHERE brand_id = $1
GROUP BY campaign_id HAVING count(*) > $2
"""
# In one statement: whoever reads sees either all the rows or their sum. Two who do it at once take
# different rows, because each takes away only what it finds there to take.
_ADD_UP = """
WITH gone AS (
    DELETE FROM dispatcher.tally WHERE brand_id = $1 AND campaign_id = $2
    RETURNING variant, status, reason, number)
INSERT INTO dispatcher.tally (brand_id, campaign_id, variant, status, reason, number)
SELECT $1, $2, variant, status, reason, sum(number) FROM gone
GROUP BY 3, 4, 5 HAVING sum(number) <> 0
"""


async def long_ones(
    connection: asyncpg.Connection, *, brand_id: UUID, more_than: int
) -> list[UUID]:
    """Return the campaigns of which there are more than so many rows."""
    return [row[0] for row in await connection.fetch(_LONG, brand_id, more_than)]


async def add_up(connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID) -> None:
    """Replace a campaign's rows by their sums; what it tells stays the same at every moment."""
    await connection.execute(_ADD_UP, brand_id, campaign_id)


async def last_launch(
    connection: asyncpg.Connection, *, brand_id: UUID
) -> tuple[bool, datetime | None]:
    """Return whether a campaign of the brand runs, and when the last one was launched."""
    row = await connection.fetchrow(
        "SELECT coalesce(bool_or(status = 'running'), false), max(launched_at)"
        " FROM dispatcher.campaign WHERE brand_id = $1",
        brand_id,
    )
    return tuple(row)
