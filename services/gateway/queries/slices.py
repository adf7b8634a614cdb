"""Statements about who works on which slice of the inbox."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

_BEAT = """
INSERT INTO gateway.member (id, seen_at) VALUES ($1, now())
ON CONFLICT (id) DO UPDATE SET seen_at = now()
"""
_MEMBERS = "SELECT count(*) FROM gateway.member WHERE seen_at > now() - $1::float * interval '1 s'"
_FORGET_MEMBERS = "DELETE FROM gateway.member WHERE seen_at < now() - interval '1 hour'"
_RENEW = """
UPDATE gateway.slice SET lease_until = now() + $2::float * interval '1 s'
WHERE owner = $1 AND lease_until > now() RETURNING number
"""
_TAKE = """
UPDATE gateway.slice SET owner = $1, lease_until = now() + $2::float * interval '1 s'
WHERE number IN (SELECT number FROM gateway.slice WHERE lease_until <= now()
                 ORDER BY number LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING number
"""
_RELEASE = """
UPDATE gateway.slice SET owner = NULL, lease_until = '-infinity'
WHERE owner = $1 AND number = ANY($2::smallint[])
"""
_LEAVE = "DELETE FROM gateway.member WHERE id = $1"


async def beat(connection: asyncpg.Connection, member: UUID, *, alive_for: float) -> int:
    """Say that this process lives, and count those that do."""
    await connection.execute(_BEAT, member)
    await connection.execute(_FORGET_MEMBERS)
    count: int = await connection.fetchval(_MEMBERS, alive_for)
    return count


async def renew(connection: asyncpg.Connection, member: UUID, *, seconds: float) -> list[int]:
    """Hold what is held, and return which slices those are."""
    return [row["number"] for row in await connection.fetch(_RENEW, member, seconds)]


async def take(
    connection: asyncpg.Connection, member: UUID, *, seconds: float, limit: int
) -> list[int]:
    """Take slices whose lease ran out."""
    return [row["number"] for row in await connection.fetch(_TAKE, member, seconds, limit)]


async def release(connection: asyncpg.Connection, member: UUID, numbers: Sequence[int]) -> None:
    """Let others have these slices now."""
    await connection.execute(_RELEASE, member, numbers)


async def leave(connection: asyncpg.Connection, member: UUID) -> None:
    """Be counted no more."""
    await connection.execute(_LEAVE, member)
