"""Receipts: kept whenever they come, matched with their attempts, merged into their messages.

A receipt may come before the settlement of what it is about. Each side commits what it has before
it looks for the other's, so one of them always finds both, and neither waits for the other:
`store` and then `match` for receipts, the settlement and then `early` for settlements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import asyncpg

from services.dispatcher.merge import merge
from shared.contracts.messages import ReceiptIn


@dataclass(frozen=True, slots=True)
class Changed:
    """A message that a receipt has moved on."""

    id: UUID
    campaign_id: UUID | None
    account_id: UUID
    channel: str
    address: str | None
    person_id: UUID | None
    purpose: str
    status: str
    reason: str | None


_STORE = """
INSERT INTO dispatcher.receipt (brand_id, id, account_id, platform_id, status, at, code)
SELECT $1, x.id, $2, x.platform_id, x.status, x.at, x.code
FROM unnest($3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::text[])
    AS x(id, platform_id, status, at, code)
ON CONFLICT DO NOTHING
"""
# Receipts come within hours; those of a month ago would only make every partition be searched. The
# rows are locked in one order: a settlement may match the very same ones.
_MATCH = """
WITH found AS MATERIALIZED (
    SELECT r.id, a.message_id FROM dispatcher.receipt r JOIN dispatcher.attempt a
        ON a.brand_id = $1 AND a.account_id = $2 AND a.platform_ids <> '{}'
        AND a.platform_ids[1] = r.platform_id AND a.day >= current_date - 31
    WHERE r.brand_id = $1 AND r.account_id = $2 AND r.platform_id = ANY($3)
      AND r.message_id IS NULL
    ORDER BY r.id FOR UPDATE OF r)
UPDATE dispatcher.receipt r SET message_id = found.message_id FROM found
WHERE r.brand_id = $1 AND r.id = found.id
"""


async def store(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    account_id: UUID,
    receipts: Sequence[ReceiptIn],
) -> None:
    """Keep an account's receipts. What they change is for `match`, after this is committed."""
    await connection.execute(
        _STORE,
        brand_id,
        account_id,
        [receipt.id for receipt in receipts],
        [receipt.platform_id for receipt in receipts],
        [receipt.status for receipt in receipts],
        [receipt.at for receipt in receipts],
        [receipt.code for receipt in receipts],
    )


async def early(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    account_ids: Sequence[UUID],
    platform_ids: Sequence[str],
) -> list[tuple[UUID, str]]:
    """Return the account and the id of what is kept unmatched for these; mostly there is none."""
    rows = await connection.fetch(
        "SELECT DISTINCT account_id, platform_id FROM dispatcher.receipt WHERE brand_id = $1"
        " AND account_id = ANY($2) AND platform_id = ANY($3) AND message_id IS NULL",
        brand_id,
        list(account_ids),
        list(platform_ids),
    )
    return [tuple(row) for row in rows]


async def left_behind(
    connection: asyncpg.Connection, *, brand_id: UUID, account_id: UUID, most: int
) -> list[str]:
    """Return the ids of what came unmatched within the last hour: the newest, `most` of them."""
    rows = await connection.fetch(
        "SELECT platform_id FROM dispatcher.receipt WHERE brand_id = $1 AND account_id = $2"
        " AND message_id IS NULL AND received_at > now() - interval '1 hour'"
        " ORDER BY received_at DESC LIMIT $3",
        brand_id,
        account_id,
        most,
    )
    return [row[0] for row in rows]


async def match(
    connection: asyncpg.Connection, brand_id: UUID, account_id: UUID, platform_ids: Sequence[str]
) -> list[Changed]:
    """Merge the kept receipts of these ids into their messages; return those that are further on.

    A receipt whose attempt is not written yet stays as it is: its settlement looks for it.
    """
    await connection.execute(_MATCH, brand_id, account_id, list(platform_ids))
    rows = await connection.fetch(
        "SELECT DISTINCT message_id FROM dispatcher.receipt WHERE brand_id = $1"
        " AND account_id = $2 AND platform_id = ANY($3) AND message_id IS NOT NULL",
        brand_id,
        account_id,
        list(platform_ids),
    )
    return await _apply(connection, brand_id, [row[0] for row in rows])


_FACTS = """
SELECT m.id, m.day, m.status, m.parts, m.campaign_id, m.account_id,
    nullif(m.address, 'erased:' || m.id) AS address, m.person_id,
    m.purpose, m.reason, acc.channel
FROM dispatcher.message m
JOIN dispatcher.account acc ON acc.brand_id = $1 AND acc.id = m.account_id
WHERE m.brand_id = $1 AND m.id = ANY($2) ORDER BY m.id FOR UPDATE OF m
"""
# Of what was sent once more, the last word is that about the last time.
_WORDS = """
SELECT r.message_id, a.part, r.status, r.code
FROM dispatcher.receipt r
JOIN dispatcher.attempt a ON a.brand_id = $1 AND a.message_id = r.message_id
    AND a.platform_ids <> '{}' AND a.platform_ids[1] = r.platform_id
WHERE r.brand_id = $1 AND r.message_id = ANY($2) AND NOT EXISTS (
    SELECT FROM dispatcher.attempt b WHERE b.brand_id = $1 AND b.message_id = a.message_id
        AND b.part = a.part AND b.outcome = 'sent' AND b.started_at > a.started_at)
"""
_CHANGE = """
UPDATE dispatcher.message m SET status = x.status, updated_at = now(),
    reason = CASE WHEN x.status IN ('refused', 'partial') THEN x.reason END
FROM unnest($2::uuid[], $3::date[], $4::text[], $5::text[]) AS x(id, day, status, reason)
WHERE m.brand_id = $1 AND m.id = x.id AND m.day = x.day
"""


async def _apply(
    connection: asyncpg.Connection, brand_id: UUID, message_ids: Sequence[UUID]
) -> list[Changed]:
    """Move messages on to where their receipts say they are; return those that moved."""
    if not message_ids:
        return []
    facts = await connection.fetch(_FACTS, brand_id, list(message_ids))
    words: dict[UUID, list[tuple[int, str]]] = {}
    codes: dict[UUID, str | None] = {}
    for message_id, part, status, code in await connection.fetch(
        _WORDS, brand_id, [row["id"] for row in facts]
    ):
        words.setdefault(message_id, []).append((part, status))
        if status == "refused":
            codes[message_id] = code
    changed: list[Changed] = []
    days: list[date] = []
    for row in facts:
        status = merge(row["status"], row["parts"], words.get(row["id"], ()))
        if status == row["status"]:
            continue
        days.append(row["day"])
        names = [name for name in Changed.__slots__ if name not in ("status", "reason")]
        changed.append(
            Changed(
                **{name: row[name] for name in names}, status=status, reason=codes.get(row["id"])
            )
        )
    if changed:
        await connection.execute(
            _CHANGE,
            brand_id,
            [each.id for each in changed],
            days,
            [each.status for each in changed],
            [each.reason for each in changed],
        )
    return changed
