"""Grants that will run out: when to look at each, and what holds of it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.consent.queries.people import Place


@dataclass(frozen=True, slots=True)
class Standing:
    """A yes that holds and has an end."""

    event_id: UUID
    account_id: UUID
    address: str
    purpose: str
    since: datetime
    expires_at: datetime
    blocked: bool
    paused: bool
    paused_until: datetime | None
    """None where nobody knows when the pause ends."""


_STANDING = """
SELECT event_id, account_id, address, purpose, since, expires_at, blocked,
    coalesce(paused_until > now(), false), nullif(paused_until, 'infinity')
FROM consent.state WHERE brand_id = $1 AND status = 'granted' AND expires_at > now()
"""
_OF_EVENT = f"{_STANDING} AND event_id = $2"
_AT = f"{_STANDING} AND account_id = $2 AND address = $3 AND purpose = $4"
_FIND_DUE = """
SELECT brand_id, event_id FROM consent.expiry WHERE ask_at <= now() ORDER BY ask_at LIMIT $1
"""
# Who ends it at this moment has the row, and will be done with it.
_SET = """
UPDATE consent.expiry SET ask_at = $2 WHERE event_id IN (
    SELECT event_id FROM consent.expiry WHERE event_id = $1 AND ask_at <= now()
    FOR UPDATE SKIP LOCKED)
RETURNING true
"""


async def find_due(connection: asyncpg.Connection, *, limit: int) -> list[tuple[UUID, UUID]]:
    """Return (brand, grant) of those that are to be looked at, the longest due first."""
    rows = await connection.fetch(_FIND_DUE, limit)
    return [(UUID(int=row[0].int), UUID(int=row[1].int)) for row in rows]


async def of_event(
    connection: asyncpg.Connection, *, brand_id: UUID, event_id: UUID
) -> Standing | None:
    """Return the yes that a grant led to, if it still holds."""
    return _standing(await connection.fetchrow(_OF_EVENT, brand_id, event_id))


async def at(connection: asyncpg.Connection, place: Place, *, purpose: str) -> Standing | None:
    """Return the yes to just this purpose at a place, if one holds that has an end."""
    key = (place.brand_id, place.account_id, place.address, purpose)
    return _standing(await connection.fetchrow(_AT, *key))


async def look_again(
    connection: asyncpg.Connection, *, event_id: UUID, at: datetime | None
) -> bool:
    """Let a grant that is due be looked at again then, or never; false where somebody else did."""
    return bool(await connection.fetchval(_SET, event_id, at))


def _standing(row: asyncpg.Record | None) -> Standing | None:
    if row is None:
        return None
    event_id, account_id, *rest = row
    return Standing(UUID(int=event_id.int), UUID(int=account_id.int), *rest)
