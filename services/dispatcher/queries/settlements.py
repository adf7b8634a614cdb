"""The settlement: what became of attempts, what follows in the queue, and what brands are told.

All of it is one statement for all that are alike, so one round trip: at some thousand a second that
is most of the cost.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from services.dispatcher.queries.slips import NO_CAMPAIGN
from services.dispatcher.settle import Verdict
from services.dispatcher.states import Status
from shared.ids import new_id

MOST = 256
"""Settlements in one statement: an event's place in its row is one byte."""


class Settlement(NamedTuple):
    """What became of one attempt, as it is written down."""

    account_id: UUID
    campaign_id: UUID | None
    message_id: UUID
    attempt_id: UUID
    part: int
    verdict: Verdict
    started_at: float
    """Seconds since 1970."""
    platform_ids: tuple[str, ...]
    answered: bool
    """The platform will tell more of this attempt, by its id."""


# The first branch is the ordinary one. The others are a settlement that comes after a takeover
# called the message unknown: the truth is taken, but an ended message does not go on by itself,
# unless it surely was not taken.
_STATUS = """CASE
            WHEN m.status = 'sending' THEN {status}
            WHEN {outcome} = 'sent' AND m.part + 1 >= m.parts THEN 'sent'
            WHEN {outcome} = 'sent' THEN 'partial'
            WHEN {status} = 'unknown' THEN m.status
            ELSE {status} END"""
# The events of one kind are one row. Lanes are woken in the order of their ids, so that two
# transactions which wake the same ones cannot wait for each other.
_TELL = """
told AS (
    INSERT INTO dispatcher.event (brand_id, id, day, type, at, data, status, message_day, messages,
        reasons)
    SELECT $1, ($7::uuid[])[row_number() OVER ()], $8, type, $9, '{}', status, $2,
        array_agg(id), array_agg(code)
    FROM (SELECT id, code, status, CASE
            WHEN status = 'sent' THEN 'message.sent'
            WHEN status = 'refused' OR status = 'partial' AND outcome = 'refused'
                THEN 'message.refused'
            WHEN status IN ('unknown', 'partial') THEN 'message.unknown' END AS type
        FROM changed) c
    WHERE type IS NOT NULL GROUP BY type, status
    RETURNING id, type, day, cardinality(messages) AS size),
due AS (
    INSERT INTO dispatcher.callback (brand_id, endpoint_id, event_id, row_id, day)
    SELECT $1, e.id, dispatcher.event_id(told.id, n), told.id, told.day
    FROM dispatcher.endpoint e JOIN told
        ON e.types = '{}' OR told.type = ANY (e.types)
    CROSS JOIN LATERAL generate_series(0, told.size - 1) AS n
    WHERE e.brand_id = $1 AND e.enabled AND e.deleted_at IS NULL
    RETURNING endpoint_id),
woken AS (
    UPDATE dispatcher.lane SET wake_at = now() WHERE id IN (
        SELECT id FROM dispatcher.lane WHERE wake_at > now()
            AND id IN (SELECT endpoint_id FROM due) ORDER BY id FOR UPDATE))
"""
_PLATFORM_IDS = "CASE WHEN {0} = '' THEN '{{}}' ELSE string_to_array({0}, E'\\x1f') END"
# Attempts that are alike, as nearly all of a campaign are: what they have in common is said once,
# what is one's own is found by its place.
_SETTLE_ALIKE = f"""
WITH changed AS (
    UPDATE dispatcher.message m SET
        status = {_STATUS.format(status="$11", outcome="$12")},
        reason = $13,
        part = m.part + $14::int,
        attempts = CASE WHEN $14 > 0 THEN 0 ELSE m.attempts - $15::int END,
        updated_at = now()
    WHERE m.brand_id = $1 AND m.day = $2 AND m.id = ANY ($3::uuid[])
      AND m.attempt_id = ($4::uuid[])[array_position($3, m.id)] AND m.part = $10::smallint
      AND m.status IN ('sending', 'unknown', 'partial')
    RETURNING array_position($3, m.id) AS n, m.id, m.status, m.account_id,
        $12::text AS outcome, $13::text AS code),
tried AS (
    INSERT INTO dispatcher.attempt (brand_id, id, day, message_id, account_id, part, started_at,
        outcome, code, platform_ids, answered)
    SELECT $1, ($4::uuid[])[n], $2, id, account_id, $10, to_timestamp(($5::float8[])[n]), outcome,
        code, {_PLATFORM_IDS.format("($6::text[])[n]")}, $16::boolean
    FROM changed
    ON CONFLICT DO NOTHING),
{_TELL}
SELECT n, status FROM changed
"""  # noqa: S608 -- constants
# What some have in common stands once, in `k`: the driver spends most of its time on lists.
_SETTLE = f"""
WITH s AS MATERIALIZED (
    SELECT s.id, s.attempt_id, s.slip_id, s.platform_ids, to_timestamp(s.started_at) AS started_at,
        k.*
    FROM unnest($3::uuid[], $4::uuid[], $5::float8[], $6::text[], $10::smallint[], $11::uuid[])
        AS s(id, attempt_id, started_at, platform_ids, kind, slip_id)
    CROSS JOIN LATERAL (SELECT ($12::smallint[])[kind] AS part, ($13::text[])[kind] AS status,
        ($14::text[])[kind] AS outcome, ($15::text[])[kind] AS code, ($16::float8[])[kind] AS wait,
        ($17::boolean[])[kind] AS advance, ($18::boolean[])[kind] AS costs_attempt,
        ($19::boolean[])[kind] AS answered) k),
changed AS (
    UPDATE dispatcher.message m SET
        status = {_STATUS.format(status="s.status", outcome="s.outcome")},
        reason = s.code,
        part = m.part + s.advance::int,
        attempts = CASE WHEN s.advance THEN 0 ELSE m.attempts - (NOT s.costs_attempt)::int END,
        due_at = CASE WHEN s.wait > 0 THEN now() + make_interval(secs => s.wait)
            ELSE m.due_at END,
        slip_id = coalesce(s.slip_id, m.slip_id),
        updated_at = now()
    FROM s WHERE m.brand_id = $1 AND m.day = $2 AND m.id = ANY ($3) AND m.id = s.id
      AND m.attempt_id = s.attempt_id AND m.part = s.part
      AND m.status IN ('sending', 'unknown', 'partial')
    RETURNING m.id, m.status, m.account_id, m.campaign_id, s.attempt_id, s.part, s.started_at,
        s.code, s.outcome, s.slip_id, s.wait, s.platform_ids, s.answered),
tried AS (
    INSERT INTO dispatcher.attempt (brand_id, id, day, message_id, account_id, part, started_at,
        outcome, code, platform_ids, answered)
    SELECT $1, t.attempt_id, $2, t.id, t.account_id, t.part, t.started_at, t.outcome, t.code,
        {_PLATFORM_IDS.format("t.platform_ids")}, t.answered
    FROM (
        SELECT id, account_id, attempt_id, part, started_at, outcome, code, platform_ids, answered
        FROM changed
        UNION ALL
        SELECT s.id, m.account_id, s.attempt_id, s.part, s.started_at, s.outcome, s.code,
            s.platform_ids, s.answered
        FROM s JOIN dispatcher.message m ON m.brand_id = $1 AND m.day = $2 AND m.id = s.id
        WHERE s.id NOT IN (SELECT id FROM changed)) t
    ON CONFLICT DO NOTHING),
again AS (
    INSERT INTO dispatcher.slip (brand_id, id, account_id, queue_id, again, due_at, day, messages)
    SELECT $1, slip_id, account_id, coalesce(campaign_id, $20), true,
        now() + make_interval(secs => max(wait)), $2, array_agg(id)
    FROM changed WHERE status = 'queued' AND slip_id IS NOT NULL
    GROUP BY slip_id, account_id, campaign_id),
{_TELL}
SELECT id, status FROM changed
"""  # noqa: S608 -- constants
_KINDS = 8
"""More than there are pairs of an event's type and a message's status."""
_FEW = 4
"""So many that are alike are worth a statement of their own."""


async def settle(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    day: date,
    settlements: Sequence[Settlement],
    at: datetime,
) -> dict[UUID, str]:
    """Write down what became of attempts; return the status that each changed message has now.

    Never fenced by the epoch: a paused owner's true word is always taken, by attempt id. A repeat
    changes nothing. `at` is the time of the events. One statement for those that are alike and go
    back to no queue, and one for all others: each can be stored without the other.
    """
    alike: dict[_Kind, list[Settlement]] = {}
    for each in settlements:
        alike.setdefault(_kind(each), []).append(each)
    changed: dict[UUID, str] = {}
    others: list[Settlement] = []
    for group in alike.values():
        if len(group) < _FEW or group[0].verdict.status == Status.QUEUED:
            others += group
            continue
        now = await _settle_alike(connection, brand_id, day, group, at)
        changed |= now
        if len(now) < len(group):
            # Ended otherwise meanwhile; the attempt was made all the same.
            others += [each for each in group if each.message_id not in now]
    if others:
        changed |= await _settle_each(connection, brand_id, day, others, at)
    return changed


_Kind = tuple[int, int, bool]


def _kind(settlement: Settlement) -> _Kind:
    """Tell what is alike: the verdicts of nearly all that were sent are one object."""
    return id(settlement.verdict), settlement.part, settlement.answered


def _common(
    brand_id: UUID, day: date, settlements: Sequence[Settlement], at: datetime
) -> tuple[object, ...]:
    """Return what both statements are told first."""
    return (
        brand_id,
        day,
        [x.message_id for x in settlements],
        [x.attempt_id for x in settlements],
        [x.started_at for x in settlements],
        ["\x1f".join(x.platform_ids) for x in settlements],
        [_row_id() for _ in range(_KINDS)],
        at.astimezone(UTC).date(),
        at,
    )


async def _settle_alike(
    connection: asyncpg.Connection,
    brand_id: UUID,
    day: date,
    settlements: Sequence[Settlement],
    at: datetime,
) -> dict[UUID, str]:
    first = settlements[0]
    rows = await connection.fetch(
        _SETTLE_ALIKE,
        *_common(brand_id, day, settlements, at),
        first.part,
        first.verdict.status,
        first.verdict.outcome,
        first.verdict.code,
        int(first.verdict.advance),
        int(not first.verdict.costs_attempt),
        first.answered,
    )
    return {settlements[n - 1].message_id: status for n, status in rows}


async def _settle_each(
    connection: asyncpg.Connection,
    brand_id: UUID,
    day: date,
    settlements: Sequence[Settlement],
    at: datetime,
) -> dict[UUID, str]:
    kinds: dict[_Kind, tuple[int, Settlement]] = {}
    places = [kinds.setdefault(_kind(x), (len(kinds) + 1, x))[0] for x in settlements]
    common = [each for _, each in kinds.values()]
    rows = await connection.fetch(
        _SETTLE,
        *_common(brand_id, day, settlements, at),
        places,
        _slips(settlements),
        [x.part for x in common],
        [x.verdict.status for x in common],
        [x.verdict.outcome for x in common],
        [x.verdict.code for x in common],
        [x.verdict.wait.total_seconds() for x in common],
        [x.verdict.advance for x in common],
        [x.verdict.costs_attempt for x in common],
        [x.answered for x in common],
        NO_CAMPAIGN,
    )
    return dict(rows)


def _slips(settlements: Sequence[Settlement]) -> list[UUID | None]:
    """Return the slip on which each message goes on that goes back to the queue; none if none does.

    What is due at once shares one per account and campaign; what waits has one of its own.
    """
    if all(each.verdict.status != Status.QUEUED for each in settlements):
        return []
    shared: dict[tuple[UUID, UUID | None], UUID] = {}
    slips: list[UUID | None] = []
    for each in settlements:
        if each.verdict.status != Status.QUEUED:
            slips.append(None)
        elif each.verdict.wait:
            slips.append(new_id())
        else:
            slips.append(shared.setdefault((each.account_id, each.campaign_id), new_id()))
    return slips


def _row_id() -> UUID:
    """Return an id whose last byte is free for the place of an event in its row."""
    return UUID(int=new_id().int & ~0xFF)
