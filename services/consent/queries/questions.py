"""The one question that waits for an answer at an address, under the person's lock."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.consent.policy import Reach
from services.consent.queries.people import Place


@dataclass(frozen=True, slots=True)
class Asked:
    """A notice that was served and not answered."""

    event_id: UUID
    """The line of the ledger that says so."""
    purpose: str
    version: str
    asked_at: datetime
    open_until: datetime | None = None
    """None for as long as any question waits."""


@dataclass(frozen=True, slots=True)
class Held:
    """A yes that holds."""

    seq: int
    since: datetime
    expires_at: datetime | None


# Not what somebody was asked before they were merged: its words are under a key of before.
_FIND = """
SELECT q.event_id, q.purpose, q.version, q.asked_at, q.open_until FROM consent.question q
JOIN consent.event e ON e.brand_id = q.brand_id AND e.id = q.event_id AND e.person_id = q.person_id
WHERE q.brand_id = $1 AND q.account_id = $2 AND q.address = $3
"""
_OPEN = """
INSERT INTO consent.question (brand_id, account_id, address, person_id, event_id, purpose, version,
    asked_at, open_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (brand_id, account_id, address) DO UPDATE
SET person_id = excluded.person_id, event_id = excluded.event_id, purpose = excluded.purpose,
    version = excluded.version, asked_at = excluded.asked_at, open_until = excluded.open_until
"""
_CLOSE = """
DELETE FROM consent.question q USING consent.account a
WHERE q.brand_id = $1 AND q.person_id = $2 AND (q.purpose = ANY ($6) OR $7)
  AND a.brand_id = q.brand_id AND a.id = q.account_id
  AND ($4 = 'brand' OR ($4 = 'channel' AND a.channel = $5) OR ($4 = 'account' AND a.id = $3))
"""
_HELD = """
SELECT seq, since, expires_at FROM consent.state
WHERE brand_id = $1 AND account_id = $2 AND address = $3 AND purpose = $4
  AND status = 'granted' AND NOT blocked AND coalesce(expires_at > now(), true)
"""


async def find(connection: asyncpg.Connection, place: Place) -> Asked | None:
    """Return what was asked last at a place, if it was not answered."""
    row = await connection.fetchrow(_FIND, place.brand_id, place.account_id, place.address)
    return None if row is None else Asked(*row)


async def open(
    connection: asyncpg.Connection, place: Place, *, person_id: UUID, asked: Asked
) -> None:
    """Let a question wait for its answer, in place of any older one."""
    await connection.execute(
        _OPEN,
        place.brand_id,
        place.account_id,
        place.address,
        person_id,
        asked.event_id,
        asked.purpose,
        asked.version,
        asked.asked_at,
        asked.open_until,
    )


async def close(
    connection: asyncpg.Connection,
    place: Place,
    *,
    person_id: UUID,
    reach: Reach,
    purposes: tuple[str, ...],
) -> None:
    """Let no question about these purposes wait within reach; `marketing` means its topics too."""
    where = (place.brand_id, person_id, place.account_id, reach, place.channel, list(purposes))
    await connection.execute(_CLOSE, *where, "marketing" in purposes)


async def held(connection: asyncpg.Connection, place: Place, purpose: str) -> Held | None:
    """Return the yes to just this purpose that holds at a place, if one does."""
    row = await connection.fetchrow(_HELD, place.brand_id, place.account_id, place.address, purpose)
    return None if row is None else Held(*row)
