"""What was ever recorded of one person."""

from uuid import UUID

import asyncpg

_WHO = """
WITH RECURSIVE who AS (
    SELECT $2::uuid AS id
    UNION
    SELECT p.id FROM who JOIN consent.person p ON p.brand_id = $1 AND p.merged_into = who.id)
"""
_LINES = f"""{_WHO}
SELECT id, seq, person_id, action, account_id, purpose, held_scope, recorded_at, expires_at,
    sealed
FROM consent.event
WHERE brand_id = $1 AND person_id = ANY (ARRAY(SELECT id FROM who)) AND seq > $3
ORDER BY seq LIMIT $4
"""  # noqa: S608 -- constants
_MERGES = f"""{_WHO}
SELECT id, kept_id, gone_id, moved, at FROM consent.merge
WHERE brand_id = $1 AND kept_id = ANY (ARRAY(SELECT id FROM who)) AND split_at IS NULL
ORDER BY at, id
"""  # noqa: S608 -- constants


async def lines(
    connection: asyncpg.Connection, *, brand_id: UUID, person_id: UUID, after: int, limit: int
) -> list[asyncpg.Record]:
    """Return a person's lines of the ledger in order, their evidence sealed.

    The lines of everybody who is one with them now are among them.
    """
    return list(await connection.fetch(_LINES, brand_id, person_id, after, limit))


async def merges(
    connection: asyncpg.Connection, *, brand_id: UUID, person_id: UUID
) -> list[asyncpg.Record]:
    """Return the merges that made a person whom they are now, the oldest first."""
    return list(await connection.fetch(_MERGES, brand_id, person_id))
