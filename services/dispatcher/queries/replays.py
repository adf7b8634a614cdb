"""Replays: which dead letters there are, and how they get back into the queue."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from services.dispatcher.queries.slips import SIZE
from shared.ids import new_id

_COLUMNS = "id, campaign_id, statuses, reasons, cursor, queued, created_at, ended_at"


async def insert(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    replay_id: UUID,
    campaign_id: UUID,
    statuses: Sequence[str],
    reasons: Sequence[str] | None,
    cursor: UUID,
) -> bool:
    """Keep what is to be tried again; false when it is kept already."""
    return bool(
        await connection.fetchval(
            "INSERT INTO dispatcher.replay (brand_id, id, campaign_id, statuses, reasons, cursor)"
            " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING true",
            brand_id,
            replay_id,
            campaign_id,
            list(statuses),
            None if reasons is None else list(reasons),
            cursor,
        )
    )


async def find(
    connection: asyncpg.Connection, *, brand_id: UUID, replay_id: UUID
) -> asyncpg.Record | None:
    """Return a replay."""
    return await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM dispatcher.replay WHERE brand_id = $1 AND id = $2",  # noqa: S608
        brand_id,
        replay_id,
    )


async def of_campaign(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID, most: int
) -> list[asyncpg.Record]:
    """Return a campaign's replays, the newest first."""
    rows: list[asyncpg.Record] = await connection.fetch(
        f"SELECT {_COLUMNS} FROM dispatcher.replay"  # noqa: S608
        " WHERE brand_id = $1 AND campaign_id = $2 ORDER BY id DESC LIMIT $3",
        brand_id,
        campaign_id,
        most,
    )
    return rows


async def story_is_over(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID
) -> bool:
    """Is a campaign's story being taken back from those who got it first?"""
    return bool(
        await connection.fetchval(
            "SELECT true FROM dispatcher.ending"
            " WHERE brand_id = $1 AND campaign_id = $2 AND begun_at IS NOT NULL",
            brand_id,
            campaign_id,
        )
    )


# In the order of ids: those of a campaign are younger than its launch, and older than the replay.
_END_OF_PAGE = """
SELECT id FROM dispatcher.message WHERE brand_id = $1 AND day >= $2 AND id > $3 AND id < $4
ORDER BY id LIMIT 1 OFFSET $5
"""
_DEAD = """
SELECT id, day, account_id FROM dispatcher.message
WHERE brand_id = $1 AND day >= $2 AND id > $3 AND id <= $4 AND campaign_id = $5
  AND status = ANY ($6) AND reason IS DISTINCT FROM 'hold_out'
  AND ($7::text[] IS NULL OR reason = ANY ($7))
ORDER BY id FOR UPDATE
"""


async def dead_letters(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    replay: Any,
    first_day: date,
    page: int,
) -> tuple[list[asyncpg.Record], UUID | None]:
    """Return those among the next `page` messages of a brand, locked, and where they end.

    The end is None when there are no more messages than these.
    """
    end = await connection.fetchval(
        _END_OF_PAGE, brand_id, first_day, replay["cursor"], replay["id"], page - 1
    )
    rows = await connection.fetch(
        _DEAD,
        brand_id,
        first_day,
        replay["cursor"],
        end or replay["id"],
        replay["campaign_id"],
        replay["statuses"],
        replay["reasons"],
    )
    return rows, end


_QUEUE = """
WITH slip AS (
    INSERT INTO dispatcher.slip (brand_id, id, account_id, queue_id, due_at, day, messages)
    VALUES ($1, $2, $3, $4, now(), $5, $6))
UPDATE dispatcher.message SET status = 'queued', reason = NULL, part = 0, attempts = 0,
    due_at = now(), slip_id = $2, updated_at = now()
WHERE brand_id = $1 AND day = $5 AND id = ANY ($6)
"""


async def queue(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    campaign_id: UUID,
    messages: Sequence[tuple[UUID, date, UUID]],
) -> None:
    """Let messages (id, day, account) wait again, on slips of their own."""
    of_lane: dict[tuple[date, UUID], list[UUID]] = {}
    for message_id, day, account_id in messages:
        of_lane.setdefault((day, account_id), []).append(message_id)
    await connection.executemany(
        _QUEUE,
        [
            (brand_id, new_id(), account_id, campaign_id, day, ids[at : at + SIZE])
            for (day, account_id), ids in of_lane.items()
            for at in range(0, len(ids), SIZE)
        ],
    )


async def advance(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    replay_id: UUID,
    cursor: UUID | None,
    queued: int,
) -> None:
    """Move on to `cursor`; None is the end."""
    await connection.execute(
        "UPDATE dispatcher.replay SET cursor = coalesce($3, cursor), queued = queued + $4,"
        " ended_at = CASE WHEN $3::uuid IS NULL THEN now() END WHERE brand_id = $1 AND id = $2",
        brand_id,
        replay_id,
        cursor,
        queued,
    )
