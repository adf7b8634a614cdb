"""The queue of callbacks of one endpoint. Only its lane's owner takes from it: no locks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.dispatcher.queries.events import MEMBERS


@dataclass(frozen=True, slots=True)
class Due:
    """A callback that may be made now, with the event it carries."""

    event_id: UUID
    day: date
    number: int
    """Tries so far."""
    type: str
    at: datetime
    data: dict[str, object]


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one try."""

    id: UUID
    event_id: UUID
    day: date
    type: str
    number: int
    """From 1."""
    at: datetime
    status: str
    wait: float
    """Seconds until the next one."""
    http_status: int | None
    code: str | None


_DUE = f"""
SELECT c.event_id, c.day, c.number, e.type, e.at, t.content FROM (
    SELECT event_id, row_id, day, number, due_at FROM dispatcher.callback
    WHERE brand_id = $1 AND endpoint_id = $2 AND status = 'waiting' AND due_at <= now()
      AND NOT event_id = ANY($3)
    ORDER BY due_at, event_id LIMIT $4) c
JOIN dispatcher.event e ON e.brand_id = $1 AND e.id = c.row_id AND e.day = c.day
{MEMBERS}
WHERE t.event_id = c.event_id
ORDER BY c.due_at, c.event_id
"""  # noqa: S608 -- constants


async def due(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    endpoint_id: UUID,
    but: Sequence[UUID],
    limit: int,
) -> list[Due]:
    """Return what is due, the oldest first, `but` for the events under way already."""
    rows = await connection.fetch(_DUE, brand_id, endpoint_id, list(but), limit)
    return [Due(*row) for row in rows]


# A callback that somebody queued anew meanwhile (number 0 again) keeps its new life.
_SETTLE = """
UPDATE dispatcher.callback c SET number = x.number, updated_at = now(),
    status = CASE WHEN x.status = 'again' THEN 'waiting' ELSE x.status END,
    due_at = CASE WHEN x.status = 'again' THEN now() + make_interval(secs => x.wait)
        ELSE c.due_at END
FROM unnest($3::uuid[], $4::date[], $5::smallint[], $6::text[], $7::float8[])
    AS x(event_id, day, number, status, wait)
WHERE c.brand_id = $1 AND c.endpoint_id = $2 AND c.event_id = x.event_id AND c.day = x.day
  AND c.status = 'waiting' AND c.number = x.number - 1
"""
_TRIED = """
INSERT INTO dispatcher.callback_attempt
    (brand_id, id, day, endpoint_id, event_id, type, number, at, status, http_status, code)
SELECT $1, x.id, (x.at AT TIME ZONE 'UTC')::date, $2, x.event_id, x.type, x.number, x.at, x.status,
    x.http_status, x.code
FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::smallint[], $7::timestamptz[], $8::text[],
    $9::smallint[], $10::text[])
    AS x(id, event_id, type, number, at, status, http_status, code)
ON CONFLICT DO NOTHING
"""


async def settle(
    connection: asyncpg.Connection, *, brand_id: UUID, endpoint_id: UUID, tried: Sequence[Tried]
) -> None:
    """Write down what became of these tries."""
    await connection.execute(
        _SETTLE,
        brand_id,
        endpoint_id,
        [x.event_id for x in tried],
        [x.day for x in tried],
        [x.number for x in tried],
        [x.status for x in tried],
        [x.wait for x in tried],
    )
    await connection.execute(
        _TRIED,
        brand_id,
        endpoint_id,
        [x.id for x in tried],
        [x.event_id for x in tried],
        [x.type for x in tried],
        [x.number for x in tried],
        [x.at for x in tried],
        [x.status for x in tried],
        [x.http_status for x in tried],
        [x.code for x in tried],
    )


async def next_due(
    connection: asyncpg.Connection, *, brand_id: UUID, endpoint_id: UUID
) -> datetime | None:
    """Return when the next callback is due; none when nothing waits."""
    moment: datetime | None = await connection.fetchval(
        "SELECT due_at FROM dispatcher.callback WHERE brand_id = $1 AND endpoint_id = $2"
        " AND status = 'waiting' ORDER BY due_at LIMIT 1",
        brand_id,
        endpoint_id,
    )
    return moment


async def sleep_until(connection: asyncpg.Connection, *, endpoint_id: UUID, at: datetime) -> None:
    """Let the endpoint's lane be woken at this moment, if nothing wakes it sooner."""
    await connection.execute(
        "UPDATE dispatcher.lane SET wake_at = least(wake_at, $2) WHERE id = $1", endpoint_id, at
    )


async def attempts(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    endpoint_id: UUID,
    before: UUID | None,
    limit: int,
) -> list[asyncpg.Record]:
    """Return an endpoint's tries, the newest first."""
    rows: list[asyncpg.Record] = await connection.fetch(
        "SELECT id, event_id, type, status, number, at, http_status, code"
        " FROM dispatcher.callback_attempt WHERE brand_id = $1 AND endpoint_id = $2"
        " AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        brand_id,
        endpoint_id,
        before,
        limit,
    )
    return rows
