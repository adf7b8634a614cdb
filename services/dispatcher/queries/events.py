"""Events and the callbacks that follow from them: written in batches, read in order."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import asyncpg

# Lanes are locked in the order of their ids, so that two transactions which wake the same ones
# cannot wait for each other.
_INSERT = """
WITH fresh AS (
    INSERT INTO dispatcher.event (brand_id, id, day, type, at, data)
    SELECT $1, x.id, x.day, x.type, x.at, x.data
    FROM unnest($2::uuid[], $3::date[], $4::text[], $5::timestamptz[], $6::jsonb[])
        AS x(id, day, type, at, data)
    ON CONFLICT DO NOTHING RETURNING id, day, type),
due AS (
    INSERT INTO dispatcher.callback (brand_id, endpoint_id, event_id, day)
    SELECT $1, e.id, fresh.id, fresh.day FROM fresh
    JOIN dispatcher.endpoint e ON e.brand_id = $1 AND e.enabled AND e.deleted_at IS NULL
        AND (e.types = '{}' OR fresh.type = ANY(e.types))
    ON CONFLICT DO NOTHING RETURNING endpoint_id),
woken AS (
    UPDATE dispatcher.lane SET wake_at = now() WHERE id IN (
        SELECT id FROM dispatcher.lane WHERE wake_at > now()
            AND id IN (SELECT endpoint_id FROM due) ORDER BY id FOR UPDATE))
SELECT count(*) FROM fresh
"""


async def insert(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    ids: Sequence[UUID],
    days: Sequence[date],
    types: Sequence[str],
    times: Sequence[datetime],
    contents: Sequence[Mapping[str, object]],
) -> int:
    """Insert events and their callbacks, and wake the lanes; return how many events were new."""
    new: int = await connection.fetchval(_INSERT, brand_id, ids, days, types, times, contents)
    return new


async def ensure_days(connection: asyncpg.Connection, first: date, last: date) -> int:
    """Make the partitions of these days where they are missing; return how many were made."""
    made: int = await connection.fetchval("SELECT dispatcher.ensure_days($1, $2)", first, last)
    return made


async def missing_days(connection: asyncpg.Connection, days: Sequence[date]) -> list[date]:
    """Return those of the days that have no partition yet."""
    rows = await connection.fetch(
        "SELECT day FROM unnest($1::date[]) AS x(day)"
        " WHERE to_regclass('dispatcher.event_' || to_char(day, 'YYYYMMDD')) IS NULL",
        list(set(days)),
    )
    return [row[0] for row in rows]


# A row that committed late may have a lower seq than one that was read already; so only rows are
# shown that no open transaction can still come before.
_SETTLED = "xid < pg_snapshot_xmin(pg_current_snapshot())"
_NEWEST = """
SELECT id, seq, type, at, data FROM dispatcher.event
WHERE brand_id = $1 AND ($2::text IS NULL OR type = $2) AND ($3::bigint IS NULL OR seq < $3)
ORDER BY seq DESC LIMIT $4
"""
_AFTER = f"""
SELECT id, seq, type, at, data FROM dispatcher.event
WHERE brand_id = $1 AND seq > $2 AND ($4::text IS NULL OR type = $4) AND {_SETTLED}
ORDER BY seq LIMIT $3
"""  # noqa: S608 -- no value of anybody's is in it


async def newest(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    type: str | None,
    before: int | None,
    limit: int,
) -> list[asyncpg.Record]:
    """Return events from the newest to the oldest."""
    rows: list[asyncpg.Record] = await connection.fetch(_NEWEST, brand_id, type, before, limit)
    return rows


async def after(
    connection: asyncpg.Connection, *, brand_id: UUID, seq: int, type: str | None, limit: int
) -> list[asyncpg.Record]:
    """Return the events that follow `seq`, in order and without a gap that could fill later."""
    rows: list[asyncpg.Record] = await connection.fetch(_AFTER, brand_id, seq, limit, type)
    return rows


async def last_seq(connection: asyncpg.Connection, *, brand_id: UUID) -> int:
    """Return where a follower that wants only what is new begins."""
    seq: int | None = await connection.fetchval(
        f"SELECT seq FROM dispatcher.event WHERE brand_id = $1 AND {_SETTLED}"  # noqa: S608
        " ORDER BY seq DESC LIMIT 1",
        brand_id,
    )
    return seq or 0


_AGAIN = """
WITH due AS (
    INSERT INTO dispatcher.callback (brand_id, endpoint_id, event_id, day)
    SELECT $1, p.id, e.id, e.day FROM dispatcher.event e
    JOIN dispatcher.endpoint p ON p.brand_id = $1 AND p.enabled AND p.deleted_at IS NULL
    WHERE e.brand_id = $1 AND {which}
    ON CONFLICT (brand_id, endpoint_id, event_id, day)
    DO UPDATE SET status = 'waiting', number = 0, due_at = now(), updated_at = now(){unless}
    RETURNING endpoint_id),
woken AS (
    UPDATE dispatcher.lane SET wake_at = now() WHERE id IN (
        SELECT id FROM dispatcher.lane WHERE id IN (SELECT endpoint_id FROM due)
        ORDER BY id FOR UPDATE))
SELECT count(*) FROM due
"""
_FITS = "(p.types = '{}' OR e.type = ANY(p.types))"
_REPLAY = _AGAIN.replace("{which}", f"e.id = $2 AND {_FITS}").replace("{unless}", "")
_REDELIVER_ONE = _AGAIN.replace("{which}", "e.id = $2 AND p.id = $3").replace("{unless}", "")
_REDELIVER_SINCE = _AGAIN.replace(
    "{which}", f"e.day >= ($2 AT TIME ZONE 'UTC')::date AND e.at >= $2 AND p.id = $3 AND {_FITS}"
).replace("{unless}", " WHERE callback.status <> 'delivered'")


async def find(
    connection: asyncpg.Connection, *, brand_id: UUID, event_id: UUID
) -> asyncpg.Record | None:
    """Return an event, or None."""
    return await connection.fetchrow(
        "SELECT id, seq, type, at, data FROM dispatcher.event WHERE brand_id = $1 AND id = $2",
        brand_id,
        event_id,
    )


async def replay(connection: asyncpg.Connection, *, brand_id: UUID, event_id: UUID) -> int:
    """Queue one event anew for every endpoint that wants its type; return how many callbacks."""
    queued: int = await connection.fetchval(_REPLAY, brand_id, event_id)
    return queued


async def redeliver_one(
    connection: asyncpg.Connection, *, brand_id: UUID, endpoint_id: UUID, event_id: UUID
) -> int:
    """Queue one event anew for one endpoint, whatever its type; return how many callbacks."""
    queued: int = await connection.fetchval(_REDELIVER_ONE, brand_id, event_id, endpoint_id)
    return queued


async def redeliver_since(
    connection: asyncpg.Connection, *, brand_id: UUID, endpoint_id: UUID, since: datetime
) -> int:
    """Queue what an endpoint has not taken since then; return how many callbacks."""
    queued: int = await connection.fetchval(_REDELIVER_SINCE, brand_id, since, endpoint_id)
    return queued
