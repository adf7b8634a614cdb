"""Pauses, and what they do to the states that they cover. All under the person's lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from services.consent.policy import Reach
from services.consent.queries.people import Place
from shared.contracts.consent import Scope

Kind = Literal["asked", "doubtful"]


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause that holds: one that was asked for ends by itself, a doubtful one by a review."""

    event_id: UUID
    kind: Kind
    person_id: UUID
    scope: Scope
    account_id: UUID
    address: str
    """Where it was said."""
    said_at: datetime
    until: datetime | None
    """None where somebody has to decide."""


_COLUMNS = """
p.event_id, p.kind, p.person_id, p.scope, p.account_id, p.address, p.platform_at,
nullif(p.until, 'infinity')
"""
_COVERING = f"""
SELECT {_COLUMNS} FROM consent.pause p WHERE p.brand_id = $1 AND p.person_id = $2
  AND (p.reach, p.target) IN (('account', $3::text), ('channel', $4), ('brand', ''))
ORDER BY p.seq
"""  # noqa: S608 -- built from constants
# What a revocation of this reach takes the place of: pauses that reach no farther.
_WITHIN = f"""
SELECT {_COLUMNS} FROM consent.pause p WHERE p.brand_id = $1 AND p.person_id = $2
  AND ($5 = 'brand' OR (p.reach, p.target) = ('account', $3::text)
    OR ($5 = 'channel' AND (p.reach, p.target) = ('channel', $4))
    OR ($5 = 'channel' AND p.reach = 'account' AND p.target IN (
        SELECT a.id::text FROM consent.account a WHERE a.brand_id = $1 AND a.channel = $4)))
ORDER BY p.seq
"""  # noqa: S608 -- built from constants
_OF_EVENT = f"""
SELECT {_COLUMNS} FROM consent.pause p WHERE p.brand_id = $1 AND p.event_id = $2
"""  # noqa: S608 -- built from constants
_PUT = """
WITH replaced AS (
    DELETE FROM consent.pause p WHERE p.brand_id = $1 AND p.person_id = $2 AND p.kind = $3
        AND p.reach = $4 AND p.target = $5 RETURNING p.platform_at)
INSERT INTO consent.pause (brand_id, person_id, kind, reach, target, until, platform_at, event_id,
    seq, scope, account_id, address)
SELECT $1, $2, $3, $4, $5, coalesce($6::timestamptz, 'infinity'),
    greatest($7, (SELECT max(platform_at) FROM replaced)), $8, $9, $10, $11, $12
"""
_WILL_END = """
INSERT INTO consent.pause_due (event_id, brand_id, kind, due_at) VALUES ($1, $2, $3, $4)
"""
_END = "DELETE FROM consent.pause WHERE brand_id = $1 AND event_id = ANY ($2::uuid[])"
_ENDS_NO_MORE = "DELETE FROM consent.pause_due WHERE event_id = ANY ($1::uuid[])"
_RECKON = """
UPDATE consent.state s SET paused_until = (
    SELECT max(p.until) FROM consent.pause p WHERE p.brand_id = $1 AND p.person_id = $2
      AND (p.reach, p.target) IN (('account', a.id::text), ('channel', a.channel), ('brand', '')))
FROM consent.account a
WHERE s.brand_id = $1 AND s.person_id = $2 AND a.brand_id = s.brand_id AND a.id = s.account_id
  AND (s.purpose IN ('marketing', 'measuring') OR s.purpose LIKE 'marketing.%')
"""
_HOLDS = """
SELECT EXISTS (SELECT FROM consent.state s WHERE s.brand_id = $1 AND s.account_id = $2
    AND s.address = $3 AND s.purpose = 'marketing' AND s.status = 'granted'
    AND (s.expires_at > now()) IS NOT FALSE)
"""
_ANY_GRANTED = """
SELECT EXISTS (SELECT FROM consent.state s
    JOIN consent.account a ON a.brand_id = s.brand_id AND a.id = s.account_id
    WHERE s.brand_id = $1 AND s.person_id = $2 AND s.status = 'granted' AND s.purpose <> 'service'
      AND (s.expires_at > now()) IS NOT FALSE
      AND ($5 = 'brand' OR ($5 = 'channel' AND a.channel = $4)
        OR ($5 = 'account' AND a.id::text = $3)))
"""
_FIND_DUE = """
SELECT brand_id, event_id FROM consent.pause_due WHERE due_at <= now() ORDER BY due_at LIMIT $1
"""
_REVIEWS_DUE = "SELECT count(*), min(due_at) FROM consent.pause_due WHERE kind = 'doubtful'"


async def covering(connection: asyncpg.Connection, place: Place, *, person_id: UUID) -> list[Pause]:
    """Return the pauses that hold for a person on an account, the oldest first."""
    rows = await connection.fetch(
        _COVERING, place.brand_id, person_id, str(place.account_id), place.channel
    )
    return [_pause(row) for row in rows]


async def within(
    connection: asyncpg.Connection, place: Place, *, person_id: UUID, reach: Reach
) -> list[Pause]:
    """Return the pauses that reach no farther than a revocation."""
    rows = await connection.fetch(_WITHIN, *_in_reach(place, person_id, reach))
    return [_pause(row) for row in rows]


async def of_event(
    connection: asyncpg.Connection, *, brand_id: UUID, event_id: UUID
) -> Pause | None:
    """Return the pause that an event began, if it still holds and no later one took it over."""
    row = await connection.fetchrow(_OF_EVENT, brand_id, event_id)
    return None if row is None else _pause(row)


async def put(
    connection: asyncpg.Connection,
    place: Place,
    pause: Pause,
    *,
    seq: int,
    reach: Reach,
    due_at: datetime,
) -> None:
    """Let a pause hold, in the place of those of its kind and reach; it is looked at when due.

    There are several only where two became one, each with a pause of their own.
    """
    target = {"account": str(place.account_id), "channel": place.channel, "brand": ""}[reach]
    await connection.execute(
        _PUT,
        place.brand_id,
        pause.person_id,
        pause.kind,
        reach,
        target,
        pause.until,
        pause.said_at,
        pause.event_id,
        seq,
        pause.scope,
        pause.account_id,
        pause.address,
    )
    await connection.execute(_WILL_END, pause.event_id, place.brand_id, pause.kind, due_at)


async def end(connection: asyncpg.Connection, *, brand_id: UUID, event_ids: Sequence[UUID]) -> None:
    """Let the pauses of these events hold no longer; the states are reckoned anew afterwards."""
    await connection.execute(_END, brand_id, event_ids)
    await connection.execute(_ENDS_NO_MORE, event_ids)


async def reckon(connection: asyncpg.Connection, *, brand_id: UUID, person_id: UUID) -> None:
    """Let a person's states say until when they are paused, by the pauses that hold now."""
    await connection.execute(_RECKON, brand_id, person_id)


async def holds(connection: asyncpg.Connection, place: Place) -> bool:
    """Say whether a yes to marketing holds at an address, paused or not."""
    return bool(await connection.fetchval(_HOLDS, place.brand_id, place.account_id, place.address))


async def any_granted(
    connection: asyncpg.Connection, place: Place, *, person_id: UUID, reach: Reach
) -> bool:
    """Say whether there is any yes within reach that a pause could keep from being used."""
    return bool(await connection.fetchval(_ANY_GRANTED, *_in_reach(place, person_id, reach)))


async def find_due(connection: asyncpg.Connection, *, limit: int) -> list[tuple[UUID, UUID]]:
    """Return (brand, event) of the pauses whose end has come, the oldest first."""
    rows = await connection.fetch(_FIND_DUE, limit)
    return [(UUID(int=row[0].int), UUID(int=row[1].int)) for row in rows]


async def reviews_due(connection: asyncpg.Connection) -> tuple[int, datetime | None]:
    """Return how many reviews wait, of all brands, and when the first of them is due."""
    row = await connection.fetchrow(_REVIEWS_DUE)
    return (row[0], row[1])


def _in_reach(place: Place, person_id: UUID, reach: Reach) -> tuple[object, ...]:
    return (place.brand_id, person_id, str(place.account_id), place.channel, reach)


def _pause(row: asyncpg.Record) -> Pause:
    event_id, kind, person_id, scope, account_id, address, said_at, until = row
    return Pause(
        UUID(int=event_id.int),
        kind,
        UUID(int=person_id.int),
        Scope(scope),
        UUID(int=account_id.int),
        address,
        said_at,
        until,
    )
