"""Statements about the answers that a repeated call gets again."""

from datetime import datetime
from uuid import UUID

import asyncpg

# One statement decides who runs: a new key, one that nobody works on any more, or one whose time is
# over. The first run's resource id stays, so that a retry after a crash makes the same thing.
_TAKE = """
INSERT INTO gateway.idempotency AS i
    (brand_id, route, key, fingerprint, resource_id, locked_until, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (brand_id, route, key) DO UPDATE SET
    fingerprint = excluded.fingerprint,
    resource_id = CASE WHEN i.created_at < $8 THEN excluded.resource_id ELSE i.resource_id END,
    created_at = CASE WHEN i.created_at < $8 THEN excluded.created_at ELSE i.created_at END,
    locked_until = excluded.locked_until, done = false, status = NULL, answer = NULL
WHERE i.created_at < $8
   OR (NOT i.done AND i.locked_until < $7 AND i.fingerprint = excluded.fingerprint)
RETURNING resource_id
"""
_FIND = """
SELECT fingerprint, done, status, answer FROM gateway.idempotency
WHERE brand_id = $1 AND route = $2 AND key = $3
"""
_FINISH = """
UPDATE gateway.idempotency SET done = true, status = $4, answer = $5
WHERE brand_id = $1 AND route = $2 AND key = $3 AND NOT done
"""
_LET_GO = """
UPDATE gateway.idempotency SET locked_until = $4
WHERE brand_id = $1 AND route = $2 AND key = $3 AND NOT done
"""
_FORGET_ONE = """
DELETE FROM gateway.idempotency WHERE brand_id = $1 AND route = $2 AND key = $3 AND NOT done
"""
_FORGET = """
DELETE FROM gateway.idempotency WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM gateway.idempotency WHERE brand_id = $1 AND created_at < $2 LIMIT $3))
"""


async def take(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    route: str,
    key: str,
    fingerprint: bytes,
    resource_id: UUID,
    now: datetime,
    locked_until: datetime,
    expired_before: datetime,
) -> UUID | None:
    """Begin under this key and return the id to make the thing with; none when it is taken."""
    found: UUID | None = await connection.fetchval(
        _TAKE, brand_id, route, key, fingerprint, resource_id, locked_until, now, expired_before
    )
    return found


async def find(
    connection: asyncpg.Connection, *, brand_id: UUID, route: str, key: str
) -> asyncpg.Record | None:
    """Look at what is stored under this key."""
    return await connection.fetchrow(_FIND, brand_id, route, key)


async def finish(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    route: str,
    key: str,
    status: int,
    answer: bytes,
) -> None:
    """Keep the answer for those who ask again."""
    await connection.execute(_FINISH, brand_id, route, key, status, answer)


async def let_go(
    connection: asyncpg.Connection, *, brand_id: UUID, route: str, key: str, now: datetime
) -> None:
    """Let a retry begin at once, with the same resource id."""
    await connection.execute(_LET_GO, brand_id, route, key, now)


async def forget_one(
    connection: asyncpg.Connection, *, brand_id: UUID, route: str, key: str
) -> None:
    """Let the key be used for another request: nothing was begun."""
    await connection.execute(_FORGET_ONE, brand_id, route, key)


async def forget(
    connection: asyncpg.Connection, *, brand_id: UUID, before: datetime, limit: int
) -> int:
    """Delete old answers and return how many."""
    done: str = await connection.execute(_FORGET, brand_id, before, limit)
    return int(done.rpartition(" ")[2])
