"""The feed: what became true, in an order that followers can rely on."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

# Any number that nobody else locks.
_LOCK = 7_030_602_021
_WAITING = "SELECT EXISTS (SELECT 1 FROM consent.feed_arrival)"
_TRY_LOCK = "SELECT pg_try_advisory_xact_lock($1)"
_ARRANGE = """
WITH taken AS (
    DELETE FROM consent.feed_arrival
    WHERE seq IN (SELECT seq FROM consent.feed_arrival ORDER BY seq LIMIT $1)
    RETURNING seq, brand_id, event_id, type)
INSERT INTO consent.feed (brand_id, event_id, type)
SELECT brand_id, event_id, type FROM taken ORDER BY seq
"""
# The newest one of each brand, and no more often than they were promised.
_TELL_CHECKPOINTS = """
WITH due AS (
    SELECT brand_id, size, checkpoint_id FROM consent.log_head
    WHERE size > told_size AND due_at <= now() ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED),
told AS (
    UPDATE consent.log_head h SET told_size = due.size, due_at = now() + $1 * interval '1 second'
    FROM due WHERE h.brand_id = due.brand_id RETURNING h.brand_id, due.checkpoint_id)
INSERT INTO consent.feed (brand_id, event_id, type)
SELECT brand_id, checkpoint_id, 'ledger.checkpoint' FROM told
"""
_TOLD_AT_ONCE = 500
_READ = """
SELECT cursor, brand_id, event_id, type FROM consent.feed WHERE cursor > $1 ORDER BY cursor LIMIT $2
"""
_DETAILS = """
SELECT id, recorded_at, person_id, account_id, channel, purposes, held_scope, reason, expires_at,
    sealed
FROM consent.event WHERE brand_id = $1 AND id = ANY ($2::uuid[])
"""
_CHECKPOINTS = """
SELECT id, size, root, note, at FROM consent.log_checkpoint
WHERE brand_id = $1 AND id = ANY ($2::uuid[])
"""


async def tell_checkpoints(connection: asyncpg.Connection, *, every: float) -> bool:
    """Put the logs' newest checkpoints into the feed, of one brand once in so many seconds.

    Numbers of the feed are given under its lock; who does not get it comes again.
    """
    if not await connection.fetchval(_TRY_LOCK, _LOCK):
        return False
    done: str = await connection.execute(_TELL_CHECKPOINTS, every, _TOLD_AT_ONCE)
    return done != "INSERT 0 0"


async def arrange(connection: asyncpg.Connection, *, limit: int) -> None:
    """Give what has arrived its place in the feed.

    A transaction that was given a lower number may commit later than one with a higher number, and
    a follower that has passed it would never see it; not even transaction ids tell the two apart.
    So numbers are given afterwards, to what has committed, by one process at a time: whoever holds
    the lock until its own commit. Whoever does not get it leaves the work to the holder.
    """
    if not await connection.fetchval(_WAITING):
        return
    if await connection.fetchval(_TRY_LOCK, _LOCK):
        await connection.execute(_ARRANGE, limit)


async def checkpoints(
    connection: asyncpg.Connection, *, brand_id: UUID, ids: Sequence[UUID]
) -> list[asyncpg.Record]:
    """Return those of a brand's checkpoints that have these ids, in any order."""
    return list(await connection.fetch(_CHECKPOINTS, brand_id, ids))


async def read(connection: asyncpg.Connection, *, after: int, limit: int) -> list[asyncpg.Record]:
    """Return (cursor, brand, event, type) of what comes after a cursor."""
    return list(await connection.fetch(_READ, after, limit))


async def details(
    connection: asyncpg.Connection, *, brand_id: UUID, event_ids: Sequence[UUID]
) -> list[asyncpg.Record]:
    """Return what one brand's events say, in any order."""
    return list(await connection.fetch(_DETAILS, brand_id, event_ids))
