"""The queue: claim, intent, settlement, halt, takeover. Batches, on a plain asyncpg connection.

Every statement names one brand and, where it can, one day, so that PostgreSQL looks into one
partition (and a distributed one into one shard). A batch's ids stand twice in it, as rows and as
`= ANY`: the second says that they are to be looked up, whatever the statistics of a table that was
empty a minute ago.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

NO_CAMPAIGN = UUID(int=0)
"""The queue of messages without a campaign: replies, service messages."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message in its owner's hand."""

    id: UUID
    day: date
    campaign_id: UUID | None
    person_id: UUID | None
    address: str
    language: str | None
    purpose: str
    part: int
    parts: int
    attempts: int
    deadline: datetime | None
    content: dict[str, object] | None
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """One attempt that is about to begin, under its lane's epoch."""

    message_id: UUID
    attempt_id: UUID
    consent_event_id: str | None
    epoch: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one attempt, as it is written down."""

    account_id: UUID
    message_id: UUID
    day: date
    attempt_id: UUID
    part: int
    status: str
    outcome: str
    code: str | None
    wait: float
    """Seconds until the message is due again."""
    advance: bool
    costs_attempt: bool
    started_at: datetime
    platform_ids: tuple[str, ...]


_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id, day FROM dispatcher.message
    WHERE brand_id = $1 AND account_id = $2 AND queue_id = $3
      AND status = 'queued' AND due_at <= now(){one_day}
    ORDER BY due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED)
UPDATE dispatcher.message m SET status = 'claimed', epoch = $5, updated_at = now()
FROM due WHERE m.brand_id = $1 AND m.id = due.id AND m.day = due.day{one_day}
RETURNING m.id, m.day, m.campaign_id, m.person_id, m.address, m.language, m.purpose, m.part,
    m.parts, m.attempts, m.deadline, m.content, m.variant
"""
_CLAIM_ANY_DAY = _CLAIM.replace("{one_day}", "")
_CLAIM_ONE_DAY = _CLAIM.replace("{one_day}", " AND day = $6", 1).replace(
    "{one_day}", " AND m.day = $6"
)


async def claim(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    account_id: UUID,
    queue_id: UUID,
    epoch: int,
    limit: int,
) -> list[Claimed]:
    """Take messages of one queue that are due, if their campaign runs.

    The campaign's row is locked against a change of its status: whoever pauses it finds either
    no row of ours, or rows that are claimed already.
    """
    asked = (brand_id, account_id, queue_id, limit, epoch)
    if queue_id == NO_CAMPAIGN:
        return [Claimed(*row) for row in await connection.fetch(_CLAIM_ANY_DAY, *asked)]
    day = await connection.fetchval(
        "SELECT day FROM dispatcher.campaign WHERE brand_id = $1 AND id = $2"
        " AND status = 'running' FOR SHARE",
        brand_id,
        queue_id,
    )
    if day is None:
        return []
    return [Claimed(*row) for row in await connection.fetch(_CLAIM_ONE_DAY, *asked, day)]


async def owns(connection: asyncpg.Connection, *, lane_id: UUID, epoch: int) -> bool:
    """Is the lane still held under this epoch?"""
    return bool(
        await connection.fetchval(
            "SELECT true FROM dispatcher.lane WHERE id = $1 AND epoch = $2", lane_id, epoch
        )
    )


_INTENT = """
UPDATE dispatcher.message m SET status = 'sending', attempt_id = x.attempt_id,
    attempts = m.attempts + 1, consent_event_id = x.consent_event_id, updated_at = now()
FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[])
    AS x(id, attempt_id, consent_event_id, epoch)
WHERE m.brand_id = $1 AND m.day = $2 AND m.id = ANY($3) AND m.id = x.id AND m.status = 'claimed'
  AND m.epoch = x.epoch
RETURNING m.id
"""


async def intend(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    day: date,
    intents: Sequence[Intent],
) -> set[UUID]:
    """Write down that these messages of one day, on whatever lanes, are about to be sent.

    Returns the messages that may go; one that was cancelled or taken over meanwhile does not
    come back, and must not be sent.
    """
    rows = await connection.fetch(
        _INTENT,
        brand_id,
        day,
        [x.message_id for x in intents],
        [x.attempt_id for x in intents],
        [x.consent_event_id for x in intents],
        [x.epoch for x in intents],
    )
    return {row[0] for row in rows}


# The first branch is the ordinary one. The others are a settlement that comes after a takeover
# called the message unknown: the truth is taken, but an ended message does not go on by itself,
# unless it surely was not taken.
_SETTLE = """
UPDATE dispatcher.message m SET
    status = CASE
        WHEN m.status = 'sending' THEN s.status
        WHEN s.outcome = 'sent' AND m.part + 1 >= m.parts THEN 'sent'
        WHEN s.outcome = 'sent' THEN 'partial'
        WHEN s.status = 'unknown' THEN m.status
        ELSE s.status END,
    reason = s.code,
    part = m.part + s.advance::int,
    attempts = CASE WHEN s.advance THEN 0 ELSE m.attempts - (NOT s.costs_attempt)::int END,
    due_at = CASE WHEN s.wait > 0 THEN now() + make_interval(secs => s.wait) ELSE m.due_at END,
    updated_at = now()
FROM unnest($3::uuid[], $4::uuid[], $5::smallint[], $6::text[], $7::text[], $8::text[],
    $9::float8[], $10::boolean[], $11::boolean[])
    AS s(id, attempt_id, part, status, outcome, code, wait, advance, costs_attempt)
WHERE m.brand_id = $1 AND m.day = $2 AND m.id = ANY($3) AND m.id = s.id
  AND m.attempt_id = s.attempt_id
  AND m.part = s.part AND m.status IN ('sending', 'unknown', 'partial')
RETURNING m.id, m.status
"""

_TRIED = """
INSERT INTO dispatcher.attempt
    (brand_id, id, day, message_id, account_id, part, started_at, outcome, code, platform_ids)
SELECT $1, s.id, $2, s.message_id, s.account_id, s.part, s.started_at, s.outcome, s.code,
    CASE WHEN s.platform_ids = '' THEN '{}' ELSE string_to_array(s.platform_ids, E'\\x1f') END
FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::smallint[], $7::timestamptz[], $8::text[],
    $9::text[], $10::text[])
    AS s(account_id, id, message_id, part, started_at, outcome, code, platform_ids)
ON CONFLICT DO NOTHING
"""


async def settle(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    day: date,
    settlements: Sequence[Settlement],
) -> dict[UUID, str]:
    """Write down what became of attempts; return the status that each changed message has now.

    Never fenced by the epoch: a paused owner's true word is always taken, by attempt id. A repeat
    changes nothing.
    """
    s = settlements
    changed = await connection.fetch(
        _SETTLE,
        brand_id,
        day,
        [x.message_id for x in s],
        [x.attempt_id for x in s],
        [x.part for x in s],
        [x.status for x in s],
        [x.outcome for x in s],
        [x.code for x in s],
        [x.wait for x in s],
        [x.advance for x in s],
        [x.costs_attempt for x in s],
    )
    await connection.execute(
        _TRIED,
        brand_id,
        day,
        [x.account_id for x in s],
        [x.attempt_id for x in s],
        [x.message_id for x in s],
        [x.part for x in s],
        [x.started_at for x in s],
        [x.outcome for x in s],
        [x.code for x in s],
        ["\x1f".join(x.platform_ids) for x in s],
    )
    return dict(changed)


# Whoever finishes or cancels a campaign at this moment is waited for, so that the two statements
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
"""
_REOPEN = """
UPDATE dispatcher.campaign c SET status = 'running', finished_at = NULL
FROM dispatcher.message m
WHERE m.brand_id = $1 AND m.day = $2 AND m.id = ANY($3) AND m.status = 'queued'
  AND c.brand_id = $1 AND c.id = m.campaign_id AND c.status = 'finished'
"""


async def follow_campaigns(
    connection: asyncpg.Connection, *, brand_id: UUID, day: date, requeued: Sequence[UUID]
) -> None:
    """Let messages that came back to the queue follow what became of their campaign meanwhile.

    A cancelled one takes them along; a finished one goes on, because it was not finished.
    """
    await connection.execute(_SEE_CAMPAIGNS, brand_id, day, list(requeued))
    await connection.execute(_FOLLOW_CAMPAIGN, brand_id, day, list(requeued))
    await connection.execute(_REOPEN, brand_id, day, list(requeued))


_WITHHOLD = """
UPDATE dispatcher.message m
SET status = CASE WHEN m.part > 0 THEN 'partial' ELSE 'withheld' END, reason = x.reason,
    consent_event_id = coalesce(x.event_id, m.consent_event_id), updated_at = now()
FROM unnest($3::uuid[], $4::text[], $5::uuid[]) AS x(id, reason, event_id)
WHERE m.brand_id = $1 AND m.day = $2 AND m.id = ANY($3) AND m.id = x.id
  AND m.status = 'claimed' AND m.epoch = $6
"""


async def withhold(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    day: date,
    epoch: int,
    reasons: Sequence[tuple[UUID, str, str | None]],
) -> None:
    """End these claimed (message, reason, consent event) without sending them."""
    ids, why, events = zip(*reasons, strict=True)
    await connection.execute(_WITHHOLD, brand_id, day, list(ids), list(why), list(events), epoch)


_DEFER = """
UPDATE dispatcher.message m SET status = 'queued', reason = x.reason, due_at = x.until,
    updated_at = now()
FROM unnest($3::uuid[], $4::text[], $5::timestamptz[]) AS x(id, reason, until)
WHERE m.brand_id = $1 AND m.day = $2 AND m.id = ANY($3) AND m.id = x.id
  AND m.status = 'claimed' AND m.epoch = $6
"""


async def defer(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    day: date,
    epoch: int,
    waits: Sequence[tuple[UUID, str, datetime]],
) -> None:
    """Put claimed (message, reason, moment) back into the queue until then; they say why."""
    ids, why, until = zip(*waits, strict=True)
    await connection.execute(_DEFER, brand_id, day, list(ids), list(why), list(until), epoch)


_RELEASE = """
UPDATE dispatcher.message m SET status = 'queued', updated_at = now(),
    due_at = CASE WHEN x.wait > 0 THEN now() + make_interval(secs => x.wait) ELSE m.due_at END
FROM unnest($3::uuid[], $4::float8[]) AS x(id, wait)
WHERE m.brand_id = $1 AND m.day = $2 AND m.id = ANY($3) AND m.id = x.id
  AND m.status = 'claimed' AND m.epoch = $5
"""


async def release(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    day: date,
    epoch: int,
    waits: Sequence[tuple[UUID, float]],
) -> None:
    """Put claimed (message, seconds to wait) back into the queue."""
    ids, seconds = zip(*waits, strict=True)
    await connection.execute(_RELEASE, brand_id, day, list(ids), list(seconds), epoch)


LONGEST_FLIGHT = 300.0
"""Seconds after an intent from which on nobody will settle it any more: its commit was not known
to have come through, or its settlement could not be stored. The longest upload takes half of it."""


async def running_campaigns(
    connection: asyncpg.Connection, *, brand_id: UUID, account_id: UUID
) -> list[UUID]:
    """Return the campaigns that may have messages for this account."""
    rows = await connection.fetch(
        "SELECT id FROM dispatcher.campaign WHERE brand_id = $1 AND status = 'running'"
        " AND $2 = ANY(account_ids) ORDER BY id",
        brand_id,
        account_id,
    )
    return [row[0] for row in rows]


_NEXT_DUE = """
SELECT least(
    (SELECT min(first.due_at) FROM unnest($3::uuid[]) AS q(id) CROSS JOIN LATERAL (
        SELECT due_at FROM dispatcher.message
        WHERE brand_id = $1 AND account_id = $2 AND queue_id = q.id AND status = 'queued'
        ORDER BY due_at LIMIT 1) AS first),
    (SELECT min(updated_at) + make_interval(secs => $4) FROM dispatcher.message
     WHERE brand_id = $1 AND account_id = $2 AND status = 'sending'))
"""


async def next_due(
    connection: asyncpg.Connection, *, brand_id: UUID, account_id: UUID
) -> datetime | None:
    """Return when there will be something to do on an account's lane; none when nothing waits."""
    queues = await running_campaigns(connection, brand_id=brand_id, account_id=account_id)
    moment: datetime | None = await connection.fetchval(
        _NEXT_DUE, brand_id, account_id, [NO_CAMPAIGN, *queues], LONGEST_FLIGHT
    )
    return moment


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
