"""Messages in hand that are not sent now, and those that came back to a campaign that changed.

Every statement names one brand and, where it can, one day, so that PostgreSQL looks into one
partition (and a distributed one into one shard).
"""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.dispatcher.queries.slips import NO_CAMPAIGN, SIZE
from shared.ids import new_id

_WITHHOLD = """
UPDATE dispatcher.message m
SET status = CASE WHEN m.part > 0 THEN 'partial' ELSE 'withheld' END, reason = x.reason,
    consent_event_id = coalesce(x.event_id, m.consent_event_id), updated_at = now()
FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::uuid[]) AS x(id, slip_id, reason, event_id)
WHERE m.brand_id = $1 AND m.day = $2 AND m.id = ANY($3) AND m.id = x.id
  AND m.status = 'queued' AND m.slip_id = x.slip_id
"""


async def withhold(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    day: date,
    reasons: Sequence[tuple[UUID, UUID, str, str | None]],
) -> None:
    """End these (message, slip, reason, consent event) in hand without sending them."""
    ids, slips, why, events = zip(*reasons, strict=True)
    await connection.execute(
        _WITHHOLD, brand_id, day, list(ids), list(slips), list(why), list(events)
    )


_PUT_OFF = """
WITH put AS (
    UPDATE dispatcher.message m SET reason = coalesce(x.reason, m.reason), due_at = x.until,
        slip_id = x.new_slip, updated_at = now()
    FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::timestamptz[])
        AS x(id, slip_id, new_slip, reason, until)
    WHERE m.brand_id = $1 AND m.day = $2 AND m.id = ANY($4) AND m.id = x.id
      AND m.status = 'queued' AND m.slip_id = x.slip_id
    RETURNING m.id, m.slip_id, m.due_at, m.campaign_id)
INSERT INTO dispatcher.slip (brand_id, id, account_id, queue_id, again, due_at, day, messages)
SELECT $1, slip_id, $3, coalesce(campaign_id, $9), true, due_at, $2, array_agg(id)
FROM put GROUP BY slip_id, campaign_id, due_at
"""


async def put_off(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    day: date,
    account_id: UUID,
    waits: Sequence[tuple[UUID, UUID, UUID | None, str | None, datetime]],
) -> None:
    """Let these (message, slip, campaign, reason, moment) wait until then, on slips of their own.

    A reason of None leaves the message's as it is.
    """
    ids, slips, campaigns, why, until = zip(*waits, strict=True)
    await connection.execute(
        _PUT_OFF,
        brand_id,
        day,
        account_id,
        list(ids),
        list(slips),
        _new_slips(list(zip(campaigns, until, strict=True))),
        list(why),
        list(until),
        NO_CAMPAIGN,
    )


def _new_slips(keys: Sequence[tuple[UUID | None, datetime]]) -> list[UUID]:
    """Return a new slip for each message; those of one key share one as far as it goes."""
    slips: dict[tuple[UUID | None, datetime, int], UUID] = {}
    counts: dict[tuple[UUID | None, datetime], int] = {}
    made = []
    for key in keys:
        number = counts[key] = counts.get(key, -1) + 1
        made.append(slips.setdefault((*key, number // SIZE), new_id()))
    return made


# Whoever finishes or cancels a campaign at this moment is waited for, so that the statements
# after this one see it; and who comes later waits for us, and sees what came back.
_SEE_CAMPAIGNS = """
SELECT FROM dispatcher.campaign c WHERE c.brand_id = $1 AND c.id IN (
    SELECT m.campaign_id FROM dispatcher.message m
    WHERE m.brand_id = $1 AND m.day = $2 AND m.id = ANY($3))
ORDER BY c.id FOR SHARE OF c
"""
_FOLLOW_CAMPAIGN = """
UPDATE dispatcher.message m
SET status = CASE WHEN m.part > 0 THEN 'partial' ELSE 'cancelled' END, reason = 'cancelled'
FROM dispatcher.campaign c
WHERE m.brand_id = $1 AND m.day = $2 AND m.id = ANY($3) AND m.status = 'queued'
  AND c.brand_id = $1 AND c.id = m.campaign_id AND c.status = 'cancelled'
RETURNING m.slip_id
"""
_REOPEN = """
UPDATE dispatcher.campaign c SET status = 'running', finished_at = NULL
FROM dispatcher.message m
WHERE m.brand_id = $1 AND m.day = $2 AND m.id = ANY($3) AND m.status = 'queued'
  AND c.brand_id = $1 AND c.id = m.campaign_id AND c.status = 'finished'
"""


async def follow_campaigns(
    connection: asyncpg.Connection, *, brand_id: UUID, day: date, requeued: Sequence[UUID]
) -> list[UUID]:
    """Let messages that came back to the queue follow what became of their campaign meanwhile.

    A cancelled one takes them along; a finished one goes on, because it was not finished. Returns
    the slips of those that were taken along.
    """
    await connection.execute(_SEE_CAMPAIGNS, brand_id, day, list(requeued))
    gone = await connection.fetch(_FOLLOW_CAMPAIGN, brand_id, day, list(requeued))
    await connection.execute(_REOPEN, brand_id, day, list(requeued))
    return [row[0] for row in gone]


async def renderings(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID, account_id: UUID
) -> dict[tuple[str, str], list[dict[str, object]]]:
    """Return a campaign's parts on one account, by variant and language, as launch froze them."""
    rows = await connection.fetch(
        "SELECT variant, language, parts FROM dispatcher.rendering"
        " WHERE brand_id = $1 AND campaign_id = $2 AND account_id = $3",
        brand_id,
        campaign_id,
        account_id,
    )
    return {(row["variant"], row["language"]): row["parts"] for row in rows}
