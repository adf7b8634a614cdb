"""Grants that have run out: find them across brands, end them under each."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg


@dataclass(frozen=True, slots=True)
class Ending:
    """A state that is still granted, and the grant that has run out."""

    event_id: UUID
    account_id: UUID
    address: str
    purpose: str
    channel: str
    person_id: UUID


_FIND_DUE = """
SELECT brand_id, event_id FROM consent.expiry WHERE expires_at <= now() ORDER BY expires_at LIMIT $1
"""
# Another worker may have the same ones in hand: what is locked is its business.
_TAKE = """
DELETE FROM consent.expiry WHERE event_id IN (
    SELECT event_id FROM consent.expiry WHERE event_id = ANY ($1::uuid[]) FOR UPDATE SKIP LOCKED)
RETURNING event_id
"""
# In one order, as everywhere: two who lock several people never wait for each other in a circle.
_LOCK = """
SELECT 1 FROM consent.person WHERE brand_id = $1 AND id IN (
    SELECT person_id FROM consent.state
    WHERE brand_id = $1 AND event_id = ANY ($2::uuid[]) AND expires_at IS NOT NULL)
ORDER BY id FOR UPDATE
"""
_FIND_ENDINGS = """
SELECT e.id, s.account_id, s.address, s.purpose, e.channel, s.person_id FROM consent.state s
JOIN consent.event e ON e.brand_id = s.brand_id AND e.id = s.event_id
WHERE s.brand_id = $1 AND s.event_id = ANY ($2::uuid[]) AND s.expires_at IS NOT NULL
    AND s.status = 'granted'
ORDER BY s.expires_at
"""
_END = """
WITH line AS (
    INSERT INTO consent.event (brand_id, id, action, account_id, channel, person_id,
        purpose, scope, held_scope, purposes, sealed, commitment, platform_at, recorded_at,
        expires_at, outcome, reason)
    SELECT brand_id, $3, 'expire', account_id, channel, $9, purpose, 'purpose',
        'purpose', ARRAY[purpose], $4, $8, NULL, clock_timestamp(), expires_at, 'revoked', 'expired'
    FROM consent.event WHERE brand_id = $1 AND id = $2
    RETURNING brand_id, id, seq, recorded_at),
news AS (
    INSERT INTO consent.feed_arrival (seq, brand_id, event_id, type)
    SELECT seq, brand_id, id, 'consent.expired' FROM line)
UPDATE consent.state s
SET status = 'expired', event_id = line.id, seq = line.seq, since = line.recorded_at
FROM line WHERE s.brand_id = $1 AND s.account_id = $5 AND s.purpose = $6 AND s.address = $7
"""


async def find_due(connection: asyncpg.Connection, *, limit: int) -> list[tuple[UUID, UUID]]:
    """Return (brand, grant) of what has run out, the oldest first."""
    rows = await connection.fetch(_FIND_DUE, limit)
    return [(UUID(int=row[0].int), UUID(int=row[1].int)) for row in rows]


async def take(connection: asyncpg.Connection, *, event_ids: Sequence[UUID]) -> list[UUID]:
    """Take these from the list and return those that nobody else took."""
    rows = await connection.fetch(_TAKE, event_ids)
    return [UUID(int=row[0].int) for row in rows]


async def lock_people(
    connection: asyncpg.Connection, *, brand_id: UUID, event_ids: Sequence[UUID]
) -> None:
    """Lock the people whom these grants are of."""
    await connection.execute(_LOCK, brand_id, event_ids)


async def find_endings(
    connection: asyncpg.Connection, *, brand_id: UUID, event_ids: Sequence[UUID]
) -> list[Ending]:
    """Return those of the grants that still hold; their people must be locked."""
    rows = await connection.fetch(_FIND_ENDINGS, brand_id, event_ids)
    return [
        Ending(
            event_id=UUID(int=row["id"].int),
            account_id=UUID(int=row["account_id"].int),
            address=row["address"],
            purpose=row["purpose"],
            channel=row["channel"],
            person_id=UUID(int=row["person_id"].int),
        )
        for row in rows
    ]


async def end(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    ending: Ending,
    event_id: UUID,
    sealed: bytes,
    commitment: bytes,
) -> None:
    """Write the line, tell the feed, and let the state be expired."""
    await connection.execute(
        _END,
        brand_id,
        ending.event_id,
        event_id,
        sealed,
        ending.account_id,
        ending.purpose,
        ending.address,
        commitment,
        ending.person_id,
    )
