"""Campaigns: their life and their totals."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.dispatcher.queries.slips import OF_CAMPAIGNS, finish_campaign

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
# `accepted`; so the counts add up to it at every moment. Claimed is what is queued on a slip that
# is in a hand: there are few of those.
_WITH_TOTALS = """
SELECT {columns}, t.counts FROM dispatcher.campaign c
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_array(g.variant, g.status, g.reason, g.number)) AS counts FROM (
        SELECT y.variant, y.status, y.reason, sum(y.number)::bigint AS number FROM (
            SELECT variant, status, reason, number FROM dispatcher.tally
            WHERE brand_id = c.brand_id AND campaign_id = c.id
            UNION ALL
            SELECT m.variant, x.status, x.reason, x.number FROM dispatcher.slip s
            CROSS JOIN LATERAL unnest(s.messages) AS u(id)
            JOIN dispatcher.message m ON m.brand_id = c.brand_id AND m.day = s.day AND m.id = u.id
                AND m.slip_id = s.id AND m.status = 'queued'
            CROSS JOIN LATERAL (VALUES ('claimed', NULL, 1), ('queued',
                CASE WHEN m.reason IN ('quiet_hours', 'capped') THEN m.reason END, -1)
                ) AS x(status, reason, number)
            WHERE s.brand_id = c.brand_id AND s.queue_id = c.id AND s.{of_campaigns}
              AND s.epoch > 0) y
        GROUP BY 1, 2, 3 HAVING sum(y.number) <> 0) g
) t ON true
WHERE c.brand_id = $1
"""
_ONE = _WITH_TOTALS.format(columns=_LIST, of_campaigns=OF_CAMPAIGNS) + " AND c.id = $2"
_PAGE = _WITH_TOTALS.format(columns=_SHORT, of_campaigns=OF_CAMPAIGNS) + (
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


# Slip by slip. What is in flight keeps its slip until it is settled.
_CANCEL = f"""
WITH listed AS MATERIALIZED (
    SELECT id, day, messages FROM dispatcher.slip
    WHERE brand_id = $1 AND queue_id = $2 AND {OF_CAMPAIGNS}
    ORDER BY id LIMIT $3 FOR UPDATE),
gone AS (
    UPDATE dispatcher.message m SET reason = 'cancelled', updated_at = now(),
        status = CASE WHEN m.part > 0 THEN 'partial' ELSE 'cancelled' END
    FROM listed l CROSS JOIN LATERAL unnest(l.messages) AS u(id)
    WHERE m.brand_id = $1 AND m.day = l.day AND m.id = u.id AND m.slip_id = l.id
      AND m.status = 'queued'
    RETURNING 1)
SELECT count(*) FROM gone
"""  # noqa: S608 -- constants


async def cancel_messages(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID, slips: int
) -> int:
    """Cancel what waits on so many slips of a cancelled campaign; return how many messages."""
    count: int = await connection.fetchval(_CANCEL, brand_id, campaign_id, slips)
    await finish_campaign(connection, brand_id=brand_id, campaign_id=campaign_id)
    return count


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
