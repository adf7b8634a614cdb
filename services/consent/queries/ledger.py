"""The ledger, and what follows from it in the same transaction: states, denials, news."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.consent.policy import Reach
from services.consent.queries.people import Place


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the ledger, as it is about to be written."""

    id: UUID
    place: Place
    person_id: UUID
    action: str
    purpose: str
    scope: str
    held_scope: str
    purposes: tuple[str, ...]
    sealed: bytes
    commitment: bytes
    platform_at: datetime | None
    recorded_at: datetime
    outcome: str
    expires_at: datetime | None = None
    reason: str | None = None
    uses: int | None = None
    """For how many messages a grant is good."""


@dataclass(frozen=True, slots=True)
class Situation:
    """How things stand for one key, under the person's lock."""

    now: datetime
    """On the database's clock: all replicas of the service share it."""
    denied_at: datetime | None
    """The newest no that covers the purpose here."""
    known_since: datetime | None
    """Since when the account has heard of the address; none when it has not."""
    blocked_at: datetime | None


_FIND = """
SELECT id, seq, action, account_id, person_id, purpose, scope, sealed, recorded_at, outcome,
    reason, expires_at
FROM consent.event WHERE brand_id = $1 AND id = $2
"""
_LOOK = """
SELECT clock_timestamp(),
    (SELECT max(d.platform_at) FROM consent.denial d
     WHERE d.brand_id = $1 AND d.person_id = $4 AND d.purpose = ANY ($6)
       AND (d.reach, d.target) IN (('account', $2::text), ('channel', $5), ('brand', ''))),
    k.created_at, k.blocked_at
FROM (VALUES (1)) AS one LEFT JOIN consent.address k
    ON k.brand_id = $1 AND k.account_id = $2::text::uuid AND k.address = $3
"""
_APPEND = """
INSERT INTO consent.event (brand_id, id, action, account_id, channel, person_id, purpose, scope,
    held_scope, purposes, sealed, commitment, platform_at, recorded_at, expires_at, outcome, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
RETURNING seq
"""
_IN_REACH = """
($4 = 'brand' OR ($4 = 'channel' AND a.channel = $5) OR ($4 = 'account' AND a.id = $3))
"""
# Also where the person has never been heard of: a message may wait there for a named address.
_REACHES = f"""
SELECT a.id, i.address FROM consent.identity i
JOIN consent.account a ON a.brand_id = i.brand_id AND a.channel = i.channel
WHERE i.brand_id = $1 AND i.person_id = $2 AND {_IN_REACH}
ORDER BY a.id, i.address
"""  # noqa: S608 -- built from constants
_REVOKE = f"""
INSERT INTO consent.state (brand_id, account_id, purpose, address, status, blocked, event_id, seq,
    since, person_id)
SELECT k.brand_id, k.account_id, p.purpose, k.address, 'revoked', k.blocked_at IS NOT NULL, $7, $8,
    $9, k.person_id
FROM consent.address k JOIN consent.account a ON a.brand_id = k.brand_id AND a.id = k.account_id
CROSS JOIN unnest($6::text[]) AS p(purpose)
WHERE k.brand_id = $1 AND k.person_id = $2 AND {_IN_REACH}
ON CONFLICT (brand_id, account_id, purpose, address) DO UPDATE
SET status = 'revoked', blocked = excluded.blocked, event_id = excluded.event_id,
    seq = excluded.seq, since = excluded.since, expires_at = NULL
"""  # noqa: S608 -- built from constants
# A topic that was not refused by name follows `marketing` from now on, also when that comes back.
_FOLLOW = f"""
DELETE FROM consent.state s USING consent.account a
WHERE s.brand_id = $1 AND s.person_id = $2 AND s.status <> 'revoked'
  AND s.purpose LIKE 'marketing.%'
  AND a.brand_id = s.brand_id AND a.id = s.account_id AND {_IN_REACH}
"""  # noqa: S608 -- built from constants
_DENY = """
INSERT INTO consent.denial AS d (brand_id, person_id, reach, target, purpose, platform_at, seq,
    event_id)
SELECT $1, $2, $3, $4, purpose, $6, $7, $8 FROM unnest($5::text[]) AS p(purpose)
ON CONFLICT (brand_id, person_id, reach, target, purpose) DO UPDATE
SET platform_at = greatest(d.platform_at, excluded.platform_at), seq = excluded.seq,
    event_id = excluded.event_id
"""
# What is granted during a pause is paused too. Counted grants add up; one that is good for any
# number of messages stays so.
_GRANT = """
INSERT INTO consent.state AS s (brand_id, account_id, purpose, address, status, blocked, event_id,
    seq, since, expires_at, person_id, paused_until, uses_left)
VALUES ($1, $2, $3, $4, $12, $5, $6, $7, $8, $9, $10, CASE WHEN $3 <> 'service' THEN (
    SELECT max(p.until) FROM consent.pause p WHERE p.brand_id = $1 AND p.person_id = $10
      AND (p.reach, p.target)
          IN (('account', $2::uuid::text), ('channel', $11), ('brand', ''))) END, $13)
ON CONFLICT (brand_id, account_id, purpose, address) DO UPDATE
SET uses_left = CASE WHEN s.status = 'granted' AND coalesce(s.expires_at > now(), true)
        THEN s.uses_left + excluded.uses_left ELSE excluded.uses_left END,
    status = excluded.status, blocked = excluded.blocked, event_id = excluded.event_id,
    seq = excluded.seq, since = excluded.since, expires_at = excluded.expires_at,
    paused_until = excluded.paused_until
"""
_SET_BLOCKED = """
UPDATE consent.state SET blocked = $5
WHERE brand_id = $1 AND person_id = $2 AND account_id = $3 AND address = $4 AND blocked <> $5
"""
_TELL = """
INSERT INTO consent.feed_arrival (seq, brand_id, event_id, type) VALUES ($1, $2, $3, $4)
"""
_END = """
INSERT INTO consent.expiry (event_id, brand_id, expires_at, ask_at) VALUES ($1, $2, $3, $4)
"""


async def find_event(
    connection: asyncpg.Connection, *, brand_id: UUID, event_id: UUID
) -> asyncpg.Record | None:
    """Return what was recorded under this id, if anything was."""
    return await connection.fetchrow(_FIND, brand_id, event_id)


async def look(
    connection: asyncpg.Connection, place: Place, *, person_id: UUID, purposes: Sequence[str]
) -> Situation:
    """Return how things stand; the person must be locked."""
    row = await connection.fetchrow(
        _LOOK,
        place.brand_id,
        str(place.account_id),
        place.address,
        person_id,
        place.channel,
        list(purposes),
    )
    return Situation(*row)


async def append(connection: asyncpg.Connection, entry: Entry) -> int:
    """Write a line and return its sequence."""
    seq: int = await connection.fetchval(
        _APPEND,
        entry.place.brand_id,
        entry.id,
        entry.action,
        entry.place.account_id,
        entry.place.channel,
        entry.person_id,
        entry.purpose,
        entry.scope,
        entry.held_scope,
        list(entry.purposes),
        entry.sealed,
        entry.commitment,
        entry.platform_at,
        entry.recorded_at,
        entry.expires_at,
        entry.outcome,
        entry.reason,
    )
    return seq


async def find_reaches(
    connection: asyncpg.Connection, place: Place, *, person_id: UUID, reach: Reach
) -> list[tuple[UUID, str]]:
    """Return every account and address where a revocation holds."""
    rows = await connection.fetch(_REACHES, *_in_reach(place, person_id, reach))
    return [(row[0], row[1]) for row in rows]


async def revoke(connection: asyncpg.Connection, entry: Entry, *, seq: int, reach: Reach) -> None:
    """Let the entry's purposes be revoked wherever the person is known within reach."""
    within = _in_reach(entry.place, entry.person_id, reach)
    await connection.execute(
        _REVOKE, *within, list(entry.purposes), entry.id, seq, entry.recorded_at
    )
    if "marketing" in entry.purposes:
        await connection.execute(_FOLLOW, *within)


async def deny(
    connection: asyncpg.Connection, entry: Entry, *, seq: int, reach: Reach, at: datetime
) -> None:
    """Remember the no, so that no older yes comes back; also where nothing is known yet."""
    target = {
        "account": str(entry.place.account_id),
        "channel": entry.place.channel,
        "brand": "",
    }[reach]
    await connection.execute(
        _DENY,
        entry.place.brand_id,
        entry.person_id,
        reach,
        target,
        list(entry.purposes),
        at,
        seq,
        entry.id,
    )


async def grant(
    connection: asyncpg.Connection,
    entry: Entry,
    *,
    seq: int,
    blocked: bool,
    ask_at: datetime | None = None,
) -> None:
    """Let the entry's purpose be granted, or pending, as its outcome says; remember to end it.

    `ask_at` is when to ask, before that, whether to go on.
    """
    place = entry.place
    await connection.execute(
        _GRANT,
        place.brand_id,
        place.account_id,
        entry.purpose,
        place.address,
        blocked,
        entry.id,
        seq,
        entry.recorded_at,
        entry.expires_at,
        entry.person_id,
        place.channel,
        entry.outcome,
        entry.uses,
    )
    if entry.expires_at is not None:
        await connection.execute(_END, entry.id, place.brand_id, entry.expires_at, ask_at)


async def set_blocked(
    connection: asyncpg.Connection, place: Place, *, person_id: UUID, blocked: bool
) -> None:
    """Let the states at one address know whether it can be reached."""
    await connection.execute(
        _SET_BLOCKED, place.brand_id, person_id, place.account_id, place.address, blocked
    )


async def tell(
    connection: asyncpg.Connection, *, seq: int, brand_id: UUID, event_id: UUID, type: str
) -> None:
    """Let the followers of the feed hear of it."""
    await connection.execute(_TELL, seq, brand_id, event_id, type)


def _in_reach(place: Place, person_id: UUID, reach: Reach) -> tuple[object, ...]:
    return (place.brand_id, person_id, place.account_id, reach, place.channel)
