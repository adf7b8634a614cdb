"""Events and the callbacks that follow from them: written in batches, read in order.

A row is one event, or all the events of one kind that one settlement told of: then it lists their
messages (`queries/settlements.py`), and what each event says is read from its message. Such an
event's id is the row's with its place in the last byte; the place is in its number as well.
"""

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
    INSERT INTO dispatcher.callback (brand_id, endpoint_id, event_id, row_id, day)
    SELECT $1, e.id, fresh.id, fresh.id, fresh.day FROM fresh
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


MEMBERS = """
CROSS JOIN LATERAL (
    SELECT 0 AS place, e.id AS event_id, e.data AS content WHERE e.messages IS NULL
    UNION ALL
    SELECT u.n - 1, dispatcher.event_id(e.id, u.n::int - 1), jsonb_build_object(
        'message_id', u.id, 'campaign_id', m.campaign_id, 'account_id', m.account_id,
        'channel', a.channel, 'address', nullif(m.address, 'erased:' || m.id),
        'person_id', m.person_id, 'purpose', m.purpose, 'status', e.status, 'reason', u.reason)
    FROM unnest(e.messages, e.reasons) WITH ORDINALITY AS u(id, reason, n)
    LEFT JOIN dispatcher.message m
        ON m.brand_id = e.brand_id AND m.day = e.message_day AND m.id = u.id
    LEFT JOIN dispatcher.account a ON a.brand_id = e.brand_id AND a.id = m.account_id
    WHERE e.messages IS NOT NULL) AS t
"""
"""Every event of a row `e`: its place there, its id and what it says."""
_PLACES = 256
"""Numbers that each row has for its events."""
_NUMBER = f"e.seq * {_PLACES} + t.place"
_SHOWN = f"SELECT t.event_id AS id, {_NUMBER} AS seq, e.type, e.at, t.content AS data"
# A row that committed late may have a lower seq than one that was read already; so only rows are
# shown that no open transaction can still come before.
_SETTLED = "xid < pg_snapshot_xmin(pg_current_snapshot())"
_NEWEST = f"""
{_SHOWN} FROM dispatcher.event e {MEMBERS}
WHERE e.brand_id = $1 AND ($2::text IS NULL OR e.type = $2)
  AND ($3::bigint IS NULL OR e.seq <= $3 / {_PLACES} AND {_NUMBER} < $3)
ORDER BY e.seq DESC, t.place DESC LIMIT $4
"""
_AFTER = f"""
{_SHOWN} FROM dispatcher.event e {MEMBERS}
WHERE e.brand_id = $1 AND e.seq >= $2 / {_PLACES} AND {_NUMBER} > $2
  AND ($4::text IS NULL OR e.type = $4) AND {_SETTLED}
ORDER BY e.seq, t.place LIMIT $3
"""


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
        f"SELECT seq * {_PLACES} + {_PLACES} - 1 FROM dispatcher.event"  # noqa: S608
        f" WHERE brand_id = $1 AND {_SETTLED} ORDER BY seq DESC LIMIT 1",
        brand_id,
    )
    return seq or 0


_AGAIN = f"""
WITH due AS (
    INSERT INTO dispatcher.callback (brand_id, endpoint_id, event_id, row_id, day)
    SELECT $1, p.id, t.event_id, e.id, e.day FROM dispatcher.event e
    JOIN dispatcher.endpoint p ON p.brand_id = $1 AND p.enabled AND p.deleted_at IS NULL
    {MEMBERS}
    WHERE e.brand_id = $1 AND {{which}}
    ON CONFLICT (brand_id, endpoint_id, event_id, day)
    DO UPDATE SET status = 'waiting', number = 0, due_at = now(), updated_at = now(){{unless}}
    RETURNING endpoint_id),
woken AS (
    UPDATE dispatcher.lane SET wake_at = now() WHERE id IN (
        SELECT id FROM dispatcher.lane WHERE id IN (SELECT endpoint_id FROM due)
        ORDER BY id FOR UPDATE))
SELECT count(*) FROM due
"""  # noqa: S608 -- no value of anybody's is in it
_ONE = "e.id IN ($2, dispatcher.event_id($2, 0)) AND t.event_id = $2"
_FITS = "(p.types = '{}' OR e.type = ANY(p.types))"


def _again(which: str, *, unless: str = "") -> str:
    return _AGAIN.format(which=which, unless=unless)


_REPLAY = _again(f"{_ONE} AND {_FITS}")
_REDELIVER_ONE = _again(f"{_ONE} AND p.id = $3")
_REDELIVER_SINCE = _again(
    f"e.day >= ($2 AT TIME ZONE 'UTC')::date AND e.at >= $2 AND p.id = $3 AND {_FITS}",
    unless=" WHERE callback.status <> 'delivered'",
)


async def find(
    connection: asyncpg.Connection, *, brand_id: UUID, event_id: UUID
) -> asyncpg.Record | None:
    """Return an event, or None."""
    return await connection.fetchrow(
        f"{_SHOWN} FROM dispatcher.event e {MEMBERS} WHERE e.brand_id = $1 AND {_ONE}",
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
