"""What a halt does to the queue, and what it waits for."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

# A row whose intent commits while this runs is locked by it; PostgreSQL then looks again, finds it
# `sending`, and leaves it for `in_flight`, which is asked afterwards.
_CANCEL = """
UPDATE dispatcher.message m
SET status = CASE WHEN m.part > 0 THEN 'partial' ELSE 'cancelled' END,
    reason = 'revoked', updated_at = now()
FROM unnest($2::uuid[], $3::text[], $4::text[]) AS t(account_id, address, purpose)
WHERE m.brand_id = $1 AND m.account_id = t.account_id AND m.address = t.address
  AND (m.purpose = t.purpose OR starts_with(m.purpose, t.purpose || '.'))
  AND m.status = 'queued' AND m.grant_seq <= $5
RETURNING m.id
"""
_IN_FLIGHT = """
SELECT DISTINCT m.attempt_id, m.id, m.day FROM dispatcher.message m
JOIN unnest($2::uuid[], $3::text[], $4::text[]) AS t(account_id, address, purpose)
  ON m.account_id = t.account_id AND m.address = t.address
 AND (m.purpose = t.purpose OR starts_with(m.purpose, t.purpose || '.'))
WHERE m.brand_id = $1 AND m.status = 'sending'
"""
_STILL = """
SELECT count(*) FROM unnest($2::uuid[], $3::date[], $4::uuid[]) AS w(id, day, attempt_id)
JOIN dispatcher.message m ON m.brand_id = $1 AND m.id = w.id AND m.day = w.day
WHERE m.status = 'sending' AND m.attempt_id = w.attempt_id
"""

Key = tuple[UUID, str, str]
"""Account, address, purpose."""
Flight = tuple[UUID, UUID, object]
"""Attempt, message, day."""


async def cancel(
    connection: asyncpg.Connection, *, brand_id: UUID, keys: Sequence[Key], seq: int
) -> int:
    """Cancel what waits for these people, but for what a later grant made; return how many."""
    accounts, addresses, purposes = zip(*keys, strict=True)
    rows = await connection.fetch(
        _CANCEL, brand_id, list(accounts), list(addresses), list(purposes), seq
    )
    return len(rows)


async def in_flight(
    connection: asyncpg.Connection, *, brand_id: UUID, keys: Sequence[Key]
) -> list[Flight]:
    """Return what is between our hands and the platform's."""
    accounts, addresses, purposes = zip(*keys, strict=True)
    rows = await connection.fetch(
        _IN_FLIGHT, brand_id, list(accounts), list(addresses), list(purposes)
    )
    return [tuple(row) for row in rows]


async def still_in_flight(
    connection: asyncpg.Connection, *, brand_id: UUID, flights: Sequence[Flight]
) -> bool:
    """Is one of these not settled yet?"""
    attempts, ids, days = zip(*flights, strict=True)
    count: int = await connection.fetchval(_STILL, brand_id, list(ids), list(days), list(attempts))
    return count > 0
