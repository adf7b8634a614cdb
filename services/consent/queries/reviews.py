"""Doubtful words that wait for somebody: opened, decided, listed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.consent.queries.pauses import Pause

_OPEN = """
INSERT INTO consent.review (brand_id, id, seq, person_id, account_id, address, scope, asked,
    opened_at, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_DECIDE = """
UPDATE consent.review SET decided_at = $3, decision = $4, decided_by = $5
WHERE brand_id = $1 AND id = ANY ($2::uuid[]) AND decided_at IS NULL
"""
_IS_OPEN = """
SELECT EXISTS (SELECT FROM consent.review
    WHERE brand_id = $1 AND id = $2 AND person_id = $3 AND decided_at IS NULL)
"""
_ASKED_SINCE = """
SELECT EXISTS (SELECT FROM consent.review
    WHERE brand_id = $1 AND person_id = $2 AND asked AND opened_at > $3)
"""
_SHOWN = """
SELECT r.id, r.seq, r.person_id, r.account_id, r.address, r.scope, r.opened_at, r.due_at,
    r.decided_at, r.decision, r.decided_by, e.sealed, e.person_id AS said_by
FROM consent.review r JOIN consent.event e ON e.brand_id = r.brand_id AND e.id = r.id
WHERE r.brand_id = $1
"""
_LIST = f"""
{_SHOWN} AND r.seq > $2 AND ($3::boolean IS NULL OR (r.decided_at IS NULL) = $3)
ORDER BY r.seq LIMIT $4
"""
_GET = f"{_SHOWN} AND r.id = $2"


async def open_one(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    pause: Pause,
    seq: int,
    asked: bool,
    opened_at: datetime,
    due_at: datetime,
) -> None:
    """Let the words that began a pause wait for a decision."""
    await connection.execute(
        _OPEN,
        brand_id,
        pause.event_id,
        seq,
        pause.person_id,
        pause.account_id,
        pause.address,
        pause.scope,
        asked,
        opened_at,
        due_at,
    )


async def decide(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    event_ids: Sequence[UUID],
    at: datetime,
    decision: str,
    by: str,
) -> None:
    """Write down what became of reviews; one that was decided before stays as it was."""
    await connection.execute(_DECIDE, brand_id, event_ids, at, decision, by)


async def is_open(
    connection: asyncpg.Connection, *, brand_id: UUID, review_id: UUID, person_id: UUID
) -> bool:
    """Say whether a review of this person still waits."""
    return bool(await connection.fetchval(_IS_OPEN, brand_id, review_id, person_id))


async def asked_since(
    connection: asyncpg.Connection, *, brand_id: UUID, person_id: UUID, since: datetime
) -> bool:
    """Say whether the person was asked after a moment what they meant."""
    return bool(await connection.fetchval(_ASKED_SINCE, brand_id, person_id, since))


async def listed(
    connection: asyncpg.Connection, *, brand_id: UUID, after: int, is_open: bool | None, limit: int
) -> list[asyncpg.Record]:
    """Return reviews in the ledger's order, each with its line's sealed half."""
    return list(await connection.fetch(_LIST, brand_id, after, is_open, limit))


async def get(
    connection: asyncpg.Connection, *, brand_id: UUID, review_id: UUID
) -> asyncpg.Record | None:
    """Return one review in the same way."""
    return await connection.fetchrow(_GET, brand_id, review_id)
