"""Statements about the inbox and the work that it means."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

# The rows become work by a trigger, in the same statement (migrations/versions/0001_initial.py).
PUT_IN = """
INSERT INTO gateway.inbox
    (brand_id, id, account_id, channel, dedupe, person, request, body, received_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[],
    $7::jsonb[], $8::bytea[], $9::timestamptz[])
ON CONFLICT DO NOTHING
"""

# A person's rows are handled in the order of `seq`: a row waits for an earlier one that is due
# later, because that one was put off. The statement itself asks whose slices they are, so that a
# process which lost its lease finds nothing.
_NEXT = """
SELECT w.slice, w.seq, w.brand_id, w.inbox_id, w.person, w.tries,
       w.due_at = '-infinity' AS urgent
FROM gateway.slice s CROSS JOIN LATERAL (
    SELECT * FROM gateway.work w
    WHERE w.slice = s.number AND w.due_at <= now() AND w.person <> ALL($2::bigint[])
      AND NOT EXISTS (SELECT FROM gateway.work e
                      WHERE e.slice = w.slice AND e.person = w.person AND e.seq < w.seq
                        AND e.due_at > w.due_at)
    ORDER BY w.due_at, w.seq LIMIT $3) w
WHERE s.owner = $1 AND s.lease_until > now()
ORDER BY w.due_at, w.seq
"""
_LOAD = """
SELECT i.id, i.account_id, i.channel, i.request, i.body, i.received_at, i.state,
       i.attempts, i.dedupe,
       b.name AS brand_name, b.languages
FROM gateway.inbox i JOIN gateway.brand b ON b.id = i.brand_id
WHERE i.brand_id = $1 AND i.id = ANY ($2::uuid[])
"""
# The ids stand in the statement twice, so that rows are looked up whatever the planner knows.
_FINISH = """
UPDATE gateway.inbox i SET state = x.state, reason = x.reason, events = x.events, done_at = $6,
       attempts = i.attempts + (x.state = 'dead')::int
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::jsonb[]) AS x(id, state, reason, events)
WHERE i.brand_id = $1 AND i.id = ANY ($2::uuid[]) AND i.id = x.id AND i.state = 'new'
"""
_DROP_WORK = """
DELETE FROM gateway.work w
USING unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS x(slice, person, seq)
WHERE w.slice = x.slice AND w.person = x.person AND w.seq = x.seq
"""
_POSTPONE = """
UPDATE gateway.work SET due_at = now() + $4::interval, tries = least(tries + 1, 1000)
WHERE slice = $1 AND person = $2 AND seq = $3
"""
_COUNT_ATTEMPT = (
    "UPDATE gateway.inbox SET attempts = attempts + 1, reason = $3 WHERE brand_id = $1 AND id = $2"
)
_STATE = "SELECT state, reason, events FROM gateway.inbox WHERE brand_id = $1 AND id = $2"
_OLDEST = """
SELECT min(due_at) FILTER (WHERE due_at > '-infinity') AS due_at, count(*) AS waiting
FROM gateway.work
"""
_EMPTY = """
UPDATE gateway.inbox SET body = '', request = '{}', events = NULL
WHERE brand_id = $1 AND person = ANY ($2::bigint[]) AND state <> 'new'
"""
_EMPTY_ROWS = """
UPDATE gateway.inbox SET body = '', request = '{}' WHERE brand_id = $1 AND id = ANY ($2::uuid[])
"""
_FORGET = """
DELETE FROM gateway.inbox WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM gateway.inbox
    WHERE brand_id = $1 AND id < $2 AND state = 'done' ORDER BY id LIMIT $3))
"""


async def next_work(
    connection: asyncpg.Connection, *, owner: UUID, busy: Sequence[int], of_each: int
) -> list[asyncpg.Record]:
    """Find what is due in the owner's slices, at most so many rows `of_each` one.

    The urgent come first: what brands' calls wait for. A person's rows are in their order. Persons
    in `busy` are left out: their turn it is already.
    """
    return list(await connection.fetch(_NEXT, owner, busy, of_each))


async def load(
    connection: asyncpg.Connection, *, brand_id: UUID, inbox_ids: Sequence[UUID]
) -> list[asyncpg.Record]:
    """Read stored webhooks with what is known of their brand."""
    return list(await connection.fetch(_LOAD, brand_id, inbox_ids))


async def finish(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    ended: Sequence[tuple[UUID, str, str | None, object]],
    now: datetime,
) -> None:
    """Write down, once, how rows ended: (id, `done` or `dead`, reason, events)."""
    ids, states, reasons, events = zip(*ended, strict=True)
    await connection.execute(_FINISH, brand_id, ids, states, reasons, events, now)


async def drop_work(connection: asyncpg.Connection, places: Sequence[tuple[int, int, int]]) -> None:
    """Take pieces of work off the list: (slice, person, seq)."""
    slices, persons, seqs = zip(*places, strict=True)
    await connection.execute(_DROP_WORK, slices, persons, seqs)


async def postpone(
    connection: asyncpg.Connection, *, slice: int, person: int, seq: int, seconds: float
) -> None:
    """Try a piece of work again later; that person's other work waits for it."""
    await connection.execute(_POSTPONE, slice, person, seq, timedelta(seconds=seconds))


async def count_attempt(
    connection: asyncpg.Connection, *, brand_id: UUID, inbox_id: UUID, reason: str
) -> None:
    """Note that handling a row broke, and on what."""
    await connection.execute(_COUNT_ATTEMPT, brand_id, inbox_id, reason)


async def state(
    connection: asyncpg.Connection, *, brand_id: UUID, inbox_id: UUID
) -> asyncpg.Record | None:
    """Look how far a row is."""
    return await connection.fetchrow(_STATE, brand_id, inbox_id)


async def raw(
    connection: asyncpg.Connection, *, brand_id: UUID, inbox_id: UUID
) -> asyncpg.Record | None:
    """Return a stored webhook as it came, if it is still kept."""
    rows = await load(connection, brand_id=brand_id, inbox_ids=[inbox_id])
    return rows[0] if rows else None


async def backlog(connection: asyncpg.Connection) -> asyncpg.Record:
    """Count the waiting work and say since when the oldest is due."""
    return await connection.fetchrow(_OLDEST)


async def forget(
    connection: asyncpg.Connection, *, brand_id: UUID, before: UUID, limit: int
) -> int:
    """Delete old handled rows and return how many; what is new or dead stays."""
    done: str = await connection.execute(_FORGET, brand_id, before, limit)
    return int(done.rpartition(" ")[2])


async def empty(connection: asyncpg.Connection, *, brand_id: UUID, people: Sequence[int]) -> None:
    """Empty the rows of some queues that were handled; that something came, and when, stays."""
    await connection.execute(_EMPTY, brand_id, list(people))


async def empty_rows(
    connection: asyncpg.Connection, *, brand_id: UUID, inbox_ids: Sequence[UUID]
) -> None:
    """Empty some rows; that something came, and when, stays."""
    await connection.execute(_EMPTY_ROWS, brand_id, list(inbox_ids))
