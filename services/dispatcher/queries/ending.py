"""Stories that end: which messages there are to take back, and what became of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg


@dataclass(frozen=True, slots=True)
class Told:
    """One attempt that put a part before a person, or may have."""

    part: int
    known: bool
    """False: nobody knows whether the platform took it."""
    platform_ids: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one message of a story that ends."""

    id: UUID
    account_id: UUID
    campaign_id: UUID
    address: str | None
    """None where the person was erased."""
    language: str | None
    variant: str | None
    live: bool
    """It may still be sent."""
    told: tuple[Told, ...]


# The only place that knows how messages and attempts say what was sent.
_FACTS = """
SELECT m.id, m.account_id, m.campaign_id, nullif(m.address, 'erased:' || m.id) AS address,
    m.language, m.variant, m.status IN ('queued', 'sending') AS live, m.status, m.updated_at,
    a.part, a.outcome, a.platform_ids, a.settled_at
FROM dispatcher.message m
LEFT JOIN LATERAL (
    SELECT part, outcome, platform_ids, settled_at FROM dispatcher.attempt
    WHERE brand_id = $1 AND message_id = m.id AND outcome IN ('sent', 'unknown')
) a ON true
WHERE m.brand_id = $1 AND m.id = ANY($2)
ORDER BY m.id, a.part, a.settled_at
"""


async def facts(
    connection: asyncpg.Connection, *, brand_id: UUID, message_ids: Sequence[UUID]
) -> dict[UUID, Facts]:
    """Return what is known of these messages; those that are not there are left out."""
    heads: dict[UUID, asyncpg.Record] = {}
    told: dict[UUID, list[Told]] = {}
    for row in await connection.fetch(_FACTS, brand_id, list(message_ids)):
        heads[row["id"]] = row
        parts = told.setdefault(row["id"], [])
        if row["outcome"] is not None:
            ids = tuple(row["platform_ids"])
            parts.append(Told(row["part"], row["outcome"] == "sent", ids, row["settled_at"]))
    for message_id, row in heads.items():
        # A takeover calls a message unknown without an attempt that says so.
        if row["status"] == "unknown" and all(each.known for each in told[message_id]):
            told[message_id].append(Told(0, False, (), row["updated_at"]))
    return {
        i: Facts(
            id=i,
            account_id=row["account_id"],
            campaign_id=row["campaign_id"],
            address=row["address"],
            language=row["language"],
            variant=row["variant"],
            live=row["live"],
            told=tuple(told[i]),
        )
        for i, row in heads.items()
    }


async def insert(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID, expires_after: int
) -> None:
    """Say that a campaign's story ends so many seconds after each message."""
    await connection.execute(
        "INSERT INTO dispatcher.ending (brand_id, campaign_id, expires_after)"
        " VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        brand_id,
        campaign_id,
        expires_after,
    )


async def find(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID
) -> asyncpg.Record | None:
    """Return a campaign's ending with its campaign's day and whether that may still grow."""
    return await connection.fetchrow(
        "SELECT e.*, c.day, c.name, c.expanded OR c.status = 'cancelled' AS whole"
        " FROM dispatcher.ending e JOIN dispatcher.campaign c"
        " ON c.brand_id = $1 AND c.id = e.campaign_id"
        " WHERE e.brand_id = $1 AND e.campaign_id = $2",
        brand_id,
        campaign_id,
    )


async def reports(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_ids: Sequence[UUID]
) -> dict[UUID, asyncpg.Record]:
    """Return the counts of those campaigns that have an ending."""
    rows = await connection.fetch(
        "SELECT campaign_id, expires_after, messages, deleted, replaced, kept, ended_at"
        " FROM dispatcher.ending WHERE brand_id = $1 AND campaign_id = ANY($2)",
        brand_id,
        list(campaign_ids),
    )
    return {row["campaign_id"]: row for row in rows}


async def page(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    campaign_id: UUID,
    day: date,
    after: tuple[UUID, str] | None,
    limit: int,
) -> list[tuple[UUID, UUID, str]]:
    """Return (message, account, address) in the order of accounts and addresses."""
    account_id, address = after or (None, None)
    rows = await connection.fetch(
        "SELECT id, account_id, address FROM dispatcher.message"
        " WHERE brand_id = $1 AND campaign_id = $2 AND day = $3"
        " AND ($4::uuid IS NULL OR (account_id, address) > ($4, $5))"
        " ORDER BY account_id, address LIMIT $6",
        brand_id,
        campaign_id,
        day,
        account_id,
        address,
        limit,
    )
    return [tuple(row) for row in rows]


class Line(NamedTuple):
    """One message to be taken back: when its story is over, and when to look at it."""

    message_id: UUID
    account_id: UUID
    over_at: datetime


_LIST = """
WITH new AS (
    INSERT INTO dispatcher.taking_back
        (brand_id, message_id, campaign_id, account_id, over_at, due_at)
    SELECT $1, x.message_id, $2, x.account_id, x.over_at, x.over_at
    FROM unnest($3::uuid[], $4::uuid[], $5::timestamptz[]) AS x(message_id, account_id, over_at)
    ON CONFLICT DO NOTHING RETURNING 1)
SELECT count(*) FROM new
"""
_ADVANCE = """
UPDATE dispatcher.ending SET messages = messages + $3, list_cursor = $5, listed = $6,
    begun_at = coalesce($7, begun_at)
WHERE brand_id = $1 AND campaign_id = $2 AND NOT listed AND list_cursor IS NOT DISTINCT FROM $4
RETURNING true
"""


class CursorMoved(Exception):
    """Somebody else listed this page; the transaction must not be committed."""


async def store_page(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    campaign_id: UUID,
    lines: Sequence[Line],
    before: Mapping[str, object] | None,
    after: Mapping[str, object] | None,
    listed: bool,
    begun_at: datetime | None,
) -> None:
    """List a page and move the cursor from `before` to `after`; those listed already stay."""
    new = 0
    if lines:
        columns = zip(*lines, strict=True)
        new = await connection.fetchval(_LIST, brand_id, campaign_id, *map(list, columns))
    if not await connection.fetchval(
        _ADVANCE, brand_id, campaign_id, new, before, after, listed, begun_at
    ):
        raise CursorMoved


async def due(
    connection: asyncpg.Connection, *, brand_id: UUID, account_id: UUID, limit: int
) -> list[asyncpg.Record]:
    """Return an account's messages whose story is over, the longest over first."""
    rows: list[asyncpg.Record] = await connection.fetch(
        "SELECT t.message_id, t.campaign_id, t.over_at, t.tries, e.expires_after"
        " FROM dispatcher.taking_back t JOIN dispatcher.ending e"
        " ON e.brand_id = $1 AND e.campaign_id = t.campaign_id"
        " WHERE t.brand_id = $1 AND t.account_id = $2 AND t.outcome IS NULL AND t.due_at <= now()"
        " ORDER BY t.due_at LIMIT $3",
        brand_id,
        account_id,
        limit,
    )
    return rows


async def next_due(
    connection: asyncpg.Connection, *, brand_id: UUID, account_id: UUID
) -> datetime | None:
    """Return when there is something more to take back on an account."""
    moment: datetime | None = await connection.fetchval(
        "SELECT min(due_at) FROM dispatcher.taking_back"
        " WHERE brand_id = $1 AND account_id = $2 AND outcome IS NULL",
        brand_id,
        account_id,
    )
    return moment


async def open_accounts(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID
) -> dict[UUID, datetime]:
    """Return the accounts with messages of a campaign to take back, and when the next one is."""
    rows = await connection.fetch(
        "SELECT account_id, min(due_at) FROM dispatcher.taking_back"
        " WHERE brand_id = $1 AND campaign_id = $2 AND outcome IS NULL GROUP BY 1",
        brand_id,
        campaign_id,
    )
    return dict(rows)


class Result(NamedTuple):
    """What became of one message, or when to look at it again."""

    message_id: UUID
    outcome: str | None
    """None: not yet."""
    reason: str | None = None
    due_at: datetime | None = None
    tried: bool = False


_SETTLE = """
WITH held AS (
    SELECT message_id FROM dispatcher.taking_back
    WHERE brand_id = $1 AND message_id = ANY($2) AND outcome IS NULL
    ORDER BY message_id FOR UPDATE)
UPDATE dispatcher.taking_back t SET outcome = x.outcome, reason = x.reason,
    due_at = coalesce(x.due_at, t.due_at), tries = t.tries + x.tried::int,
    done_at = CASE WHEN x.outcome IS NOT NULL THEN now() END
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::boolean[])
    AS x(message_id, outcome, reason, due_at, tried)
JOIN held ON held.message_id = x.message_id
WHERE t.brand_id = $1 AND t.message_id = x.message_id
RETURNING t.campaign_id, t.outcome, t.reason
"""


async def settle(
    connection: asyncpg.Connection, *, brand_id: UUID, results: Sequence[Result]
) -> list[UUID]:
    """Write down what became of messages, each once, and count it in the same transaction.

    Returns the campaigns that have none left of those that are listed.
    """
    columns = [list(column) for column in zip(*results, strict=True)]
    rows = await connection.fetch(_SETTLE, brand_id, *columns)
    counted: dict[UUID, Counter[tuple[str, str | None]]] = {}
    for campaign_id, outcome, reason in rows:
        if outcome is not None:
            counted.setdefault(campaign_id, Counter())[outcome, reason] += 1
    return [
        campaign_id
        for campaign_id, counts in sorted(counted.items())
        if await _count(connection, brand_id, campaign_id, counts)
    ]


async def _count(
    connection: asyncpg.Connection,
    brand_id: UUID,
    campaign_id: UUID,
    counts: Mapping[tuple[str, str | None], int],
) -> bool:
    kept: dict[str, int] = await connection.fetchval(
        "SELECT kept FROM dispatcher.ending WHERE brand_id = $1 AND campaign_id = $2 FOR UPDATE",
        brand_id,
        campaign_id,
    )
    sums: Counter[str] = Counter()
    for (outcome, reason), count in counts.items():
        sums[outcome] += count
        if outcome == "kept":
            kept[reason or "unknown"] = kept.get(reason or "unknown", 0) + count
    row = await connection.fetchrow(
        "UPDATE dispatcher.ending SET deleted = deleted + $3, replaced = replaced + $4, kept = $5,"
        " messages = messages - $6 WHERE brand_id = $1 AND campaign_id = $2"
        " RETURNING messages - deleted - replaced AS left",
        brand_id,
        campaign_id,
        sums["deleted"],
        sums["replaced"],
        kept,
        sums["unsent"],
    )
    return bool(row["left"] == sum(kept.values()))


async def finish(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID, at: datetime
) -> Any:
    """Let a campaign's story be over for everybody, if it is; return its row, once."""
    return await connection.fetchrow(
        "UPDATE dispatcher.ending e SET ended_at = $3"
        " WHERE brand_id = $1 AND campaign_id = $2 AND listed AND ended_at IS NULL"
        " AND NOT EXISTS (SELECT FROM dispatcher.taking_back t WHERE t.brand_id = $1"
        "   AND t.campaign_id = $2 AND t.outcome IS NULL)"
        " RETURNING deleted, replaced, kept",
        brand_id,
        campaign_id,
        at,
    )
