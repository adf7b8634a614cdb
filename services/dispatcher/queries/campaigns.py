"""Campaigns: their life and their totals."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

COLUMNS = (
    "id", "day", "name", "story_id", "variants", "hold_out", "purpose", "account_ids", "audience",
    "named", "recipients", "live_until", "send_at", "recipient_local_time", "deadline", "status",
    "status_reason", "accepted", "excluded", "zone_fallbacks", "expand_cursor", "expanded",
    "created_at", "launched_at", "finished_at",
)  # fmt: skip
_LIST = ", ".join(f"c.{name}" for name in COLUMNS)
# Addresses are up to 100,000: a list of campaigns does not read them.
_SHORT = _LIST.replace(
    "c.audience", "CASE WHEN c.named IS NULL THEN c.audience END AS audience"
).replace("c.expand_cursor, ", "")

# One statement, hence one snapshot: the tally is written with the messages it counts, and so is
# `accepted`; so the counts add up to it at every moment.
_WITH_TOTALS = """
SELECT {columns}, t.counts FROM dispatcher.campaign c
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_array(g.variant, g.status, g.reason, g.number)) AS counts FROM (
        SELECT y.variant, y.status, y.reason, sum(y.number)::bigint AS number
        FROM dispatcher.tally y WHERE y.brand_id = c.brand_id AND y.campaign_id = c.id
        GROUP BY 1, 2, 3 HAVING sum(y.number) <> 0) g
) t ON true
WHERE c.brand_id = $1
"""
_ONE = _WITH_TOTALS.format(columns=_LIST) + " AND c.id = $2"
_PAGE = _WITH_TOTALS.format(columns=_SHORT) + (
    " AND ($2::uuid IS NULL OR c.id < $2) ORDER BY c.id DESC LIMIT $3"
)


async def find(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID
) -> asyncpg.Record | None:
    """Return a campaign with its counts, or None."""
    return await connection.fetchrow(_ONE, brand_id, campaign_id)


async def page(
    connection: asyncpg.Connection, *, brand_id: UUID, before: UUID | None, limit: int
) -> list[asyncpg.Record]:
    """Return campaigns with their counts from the newest to the oldest."""
    rows: list[asyncpg.Record] = await connection.fetch(_PAGE, brand_id, before, limit)
    return rows


async def find_plain(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID
) -> asyncpg.Record | None:
    """Return a campaign without counting anything, or None."""
    return await connection.fetchrow(
        f"SELECT {_LIST} FROM dispatcher.campaign c"  # noqa: S608 -- constants
        " WHERE c.brand_id = $1 AND c.id = $2",
        brand_id,
        campaign_id,
    )


async def lock(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID
) -> asyncpg.Record | None:
    """Return a campaign, locked until the transaction ends; always before its messages."""
    return await connection.fetchrow(
        f"SELECT {_LIST} FROM dispatcher.campaign c"  # noqa: S608 -- constants
        " WHERE c.brand_id = $1 AND c.id = $2 FOR UPDATE",
        brand_id,
        campaign_id,
    )


async def insert(
    connection: asyncpg.Connection, *, brand_id: UUID, values: Mapping[str, Any]
) -> bool:
    """Insert a draft; false when the id is taken."""
    names = ", ".join(values)
    marks = ", ".join(f"${number}" for number in range(2, len(values) + 2))
    return bool(
        await connection.fetchval(
            f"INSERT INTO dispatcher.campaign (brand_id, {names}) VALUES ($1, {marks})"  # noqa: S608
            " ON CONFLICT DO NOTHING RETURNING true",
            brand_id,
            *values.values(),
        )
    )


async def set_status(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    campaign_id: UUID,
    status: str,
    reason: str | None = None,
) -> None:
    """Change the status of a campaign that the caller has locked."""
    await connection.execute(
        "UPDATE dispatcher.campaign SET status = $3, status_reason = $4,"
        " finished_at = CASE WHEN $3 IN ('finished', 'cancelled') THEN now() END"
        " WHERE brand_id = $1 AND id = $2",
        brand_id,
        campaign_id,
        status,
        reason,
    )


async def start(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID, day: date, at: datetime
) -> None:
    """Let a campaign that the caller has locked run from now on."""
    await connection.execute(
        "UPDATE dispatcher.campaign SET status = 'running', status_reason = NULL, day = $3,"
        " launched_at = $4 WHERE brand_id = $1 AND id = $2",
        brand_id,
        campaign_id,
        day,
        at,
    )


async def freeze_rendering(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    campaign_id: UUID,
    account_id: UUID,
    variant: str,
    story_id: UUID,
    parts: Mapping[str, Sequence[Mapping[str, object]]],
) -> None:
    """Keep a variant's parts on one account by language, whatever becomes of its story."""
    # One by one: of lists in a list asyncpg would make an array of two dimensions.
    await connection.executemany(
        "INSERT INTO dispatcher.rendering"
        " (brand_id, campaign_id, account_id, variant, story_id, language, parts)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        [
            (brand_id, campaign_id, account_id, variant, story_id, language, of_language)
            for language, of_language in parts.items()
        ],
    )


async def release_claimed(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID, day: date
) -> None:
    """Put a paused campaign's claimed messages back: an intent on them finds nothing."""
    await connection.execute(
        "UPDATE dispatcher.message SET status = 'queued', updated_at = now()"
        " WHERE brand_id = $1 AND day = $3 AND queue_id = $2 AND status = 'claimed'"
        " AND account_id = ANY(ARRAY(SELECT unnest(account_ids) FROM dispatcher.campaign"
        "   WHERE brand_id = $1 AND id = $2))",
        brand_id,
        campaign_id,
        day,
    )


async def wake_lanes(
    connection: asyncpg.Connection, *, account_ids: Sequence[UUID], due_at: datetime | None = None
) -> None:
    """Wake these accounts' lanes at `due_at`, or at once."""
    await connection.execute(
        "UPDATE dispatcher.lane l SET wake_at = coalesce($2, now()) FROM ("
        "   SELECT id FROM dispatcher.lane WHERE id = ANY($1) AND wake_at > coalesce($2, now())"
        "   ORDER BY id FOR UPDATE) x WHERE l.id = x.id",
        list(account_ids),
        due_at,
    )


# Each status has an index of its own, in whose order the first ones are found at once however much
# of the campaign is over; for both together the whole day would be read for every batch.
_CANCEL = """
WITH queued AS (
    SELECT id FROM dispatcher.message
    WHERE brand_id = $1 AND day = $3 AND queue_id = $2 AND account_id = $4 AND status = 'queued'
    ORDER BY due_at, id LIMIT $5 FOR UPDATE),
claimed AS (
    SELECT id FROM dispatcher.message
    WHERE brand_id = $1 AND day = $3 AND queue_id = $2 AND account_id = $4 AND status = 'claimed'
    FOR UPDATE),
waiting AS (SELECT id FROM queued UNION ALL SELECT id FROM claimed),
gone AS (
    UPDATE dispatcher.message m SET reason = 'cancelled', updated_at = now(),
        status = CASE WHEN m.part > 0 THEN 'partial' ELSE 'cancelled' END
    FROM waiting w WHERE m.brand_id = $1 AND m.day = $3 AND m.id = w.id
    RETURNING 1)
SELECT count(*) FROM gone
"""


async def cancel_messages(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    campaign_id: UUID,
    day: date,
    account_ids: Sequence[UUID],
    limit: int,
) -> int:
    """Cancel what waits of a cancelled campaign, about `limit` at most; return how many."""
    count = 0
    for account_id in account_ids:
        if count >= limit:
            break
        count += await connection.fetchval(
            _CANCEL, brand_id, campaign_id, day, account_id, limit - count
        )
    return count


# Two questions, because each has an index of its own; one statement, because a message may move
# from one answer to the other meanwhile.
_LIVE = """
SELECT EXISTS (SELECT FROM dispatcher.message WHERE brand_id = $1 AND day = $3 AND queue_id = $2
        AND account_id = ANY($4) AND status IN ('claimed', 'sending'))
    OR EXISTS (SELECT FROM dispatcher.message WHERE brand_id = $1 AND day = $3 AND queue_id = $2
        AND account_id = ANY($4) AND status = 'queued')
"""


async def has_live(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    campaign_id: UUID,
    day: date,
    account_ids: Sequence[UUID],
) -> bool:
    """Is any message of this campaign queued, claimed or in flight?"""
    return bool(await connection.fetchval(_LIVE, brand_id, campaign_id, day, list(account_ids)))


async def backlog(
    connection: asyncpg.Connection, *, brand_id: UUID, account_ids: Sequence[UUID]
) -> dict[UUID, int]:
    """Return how many messages wait on each of these accounts already."""
    rows = await connection.fetch(
        "SELECT account_id, count(*) FROM dispatcher.message WHERE brand_id = $1"
        " AND account_id = ANY($2) AND status = 'queued' GROUP BY 1",
        brand_id,
        list(account_ids),
    )
    return dict(rows)


_PACE = """
SELECT (count(*) - 1) / nullif(extract(epoch FROM max(settled_at) - min(settled_at)), 0)::float8
FROM dispatcher.attempt
WHERE brand_id = $1 AND account_id = $2 AND day >= current_date - 1 AND outcome = 'sent'
  AND settled_at > now() - make_interval(secs => $3) HAVING count(*) >= $4
"""


async def real_pace(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    account_id: UUID,
    seconds: float,
    at_least: int,
) -> float | None:
    """Return how many messages per second an account sent in the last seconds, if enough."""
    pace: float | None = await connection.fetchval(_PACE, brand_id, account_id, seconds, at_least)
    return pace
