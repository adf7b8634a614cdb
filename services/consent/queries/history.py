"""What was ever recorded of one person."""

from uuid import UUID

import asyncpg

_LINES = """
SELECT id, seq, person_id, action, account_id, purpose, held_scope, recorded_at, sealed
FROM consent.event WHERE brand_id = $1 AND person_id = $2 AND seq > $3 ORDER BY seq LIMIT $4
"""


async def lines(
    connection: asyncpg.Connection, *, brand_id: UUID, person_id: UUID, after: int, limit: int
) -> list[asyncpg.Record]:
    """Return a person's lines of the ledger in order, their evidence sealed."""
    return list(await connection.fetch(_LINES, brand_id, person_id, after, limit))
