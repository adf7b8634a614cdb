"""May these addresses be written to? The statements that are asked before every send."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

_FACTS = (
    "s.status, s.blocked, s.expires_at <= now(), s.paused_until > now(), s.event_id::text, s.seq,"
    " s.uses_left"
)
_LIVES = ", s.person_id, p.timezone, p.quiet_start, p.quiet_end"
_PERSON = "LEFT JOIN consent.person p ON p.brand_id = $1 AND p.id = s.person_id"
# On the primary, always: a replica's yes may be older than the no.
_STATE = """
LEFT JOIN consent.state s ON s.brand_id = $1 AND s.account_id = $2 AND s.purpose = $4
    AND s.address = asked.address
"""
_TOPIC_STATE = """
LEFT JOIN LATERAL (
    SELECT * FROM consent.state t WHERE t.brand_id = $1 AND t.account_id = $2
        AND t.purpose = ANY ($4::text[]) AND t.address = asked.address
    ORDER BY array_position($4::text[], t.purpose) LIMIT 1) AS s ON true
"""


def _asking(state: str, facts: str = _FACTS, person: str = "") -> str:
    return (
        f"SELECT {facts} FROM unnest($3::text[]) WITH ORDINALITY AS asked(address, n)"  # noqa: S608 -- constants
        f" {state} {person} ORDER BY asked.n"
    )


CHECK = _asking(_STATE)
"""The plain one: who asks for no clock needs no more."""
_CHECKS = {
    (False, False): CHECK,
    (True, False): _asking(_TOPIC_STATE),
    (False, True): _asking(_STATE, _FACTS + _LIVES, _PERSON),
    (True, True): _asking(_TOPIC_STATE, _FACTS + _LIVES, _PERSON),
}
# Whether any of the brand's people has hours of their own, or lives where the law has some.
_BRAND = """
SELECT b.country, b.timezone, b.policy::text,
    EXISTS (SELECT FROM consent.person p WHERE p.brand_id = $1 AND p.quiet_start IS NOT NULL)
    OR EXISTS (SELECT FROM unnest($2::text[]) AS strict(zone) WHERE EXISTS (
        SELECT FROM consent.person p WHERE p.brand_id = $1 AND p.timezone = strict.zone))
FROM consent.brand b WHERE b.brand_id = $1
"""
_MEET = """
INSERT INTO consent.contact (brand_id, person_id)
SELECT $1, id FROM unnest($2::uuid[]) AS asked(id) ORDER BY id ON CONFLICT DO NOTHING
"""
# In one order, as everywhere: two who lock several people never wait for each other in a circle.
_LOCK = """
SELECT person_id, at, message_ids FROM consent.contact
WHERE brand_id = $1 AND person_id = ANY ($2::uuid[]) ORDER BY person_id FOR UPDATE
"""
_READ = """
SELECT person_id, at, message_ids FROM consent.contact
WHERE brand_id = $1 AND person_id = ANY ($2::uuid[])
"""
# A moment is appended, and what no cap counts any more is left off at the other end.
_TAKE_PLACES = """
UPDATE consent.contact c SET at = c.at[x.stale + 1:] || x.at,
    message_ids = c.message_ids[x.stale + 1:] || x.message_id
FROM unnest($2::uuid[], $3::int[], $4::timestamptz[], $5::uuid[])
    AS x(person_id, stale, at, message_id)
WHERE c.brand_id = $1 AND c.person_id = x.person_id
"""
_USED_BY = """
SELECT message_id, event_id::text FROM consent.use
WHERE brand_id = $1 AND message_id = ANY ($2::uuid[])
"""
# The last one ends it: the worker of ends writes the line.
_USE = """
WITH chosen AS (
    SELECT account_id, purpose, address FROM consent.state
    WHERE brand_id = $1 AND account_id = $2 AND purpose = ANY ($3::text[]) AND address = $4
    ORDER BY array_position($3::text[], purpose) LIMIT 1 FOR UPDATE),
used AS (
    UPDATE consent.state s SET uses_left = s.uses_left - 1,
        expires_at = CASE WHEN s.uses_left = 1 THEN now() ELSE s.expires_at END
    FROM chosen c WHERE s.brand_id = $1 AND s.account_id = c.account_id AND s.purpose = c.purpose
        AND s.address = c.address AND s.status = 'granted' AND s.uses_left > 0
    RETURNING s.event_id, s.person_id, s.uses_left),
ended AS (
    INSERT INTO consent.expiry (event_id, brand_id, expires_at)
    SELECT event_id, $1, now() FROM used WHERE uses_left = 0
    ON CONFLICT (event_id) DO UPDATE SET expires_at = excluded.expires_at, ask_at = NULL)
INSERT INTO consent.use (brand_id, message_id, event_id, person_id)
SELECT $1, $5, event_id, person_id FROM used RETURNING event_id::text
"""


async def brand(
    connection: asyncpg.Connection, brand_id: UUID, *, strict_zones: Sequence[str]
) -> tuple[str, str, str, bool] | None:
    """Return (country, time zone, rules as JSON, somebody has hours); none for a stranger."""
    row = await connection.fetchrow(_BRAND, brand_id, strict_zones)
    return None if row is None else (row[0], row[1], row[2], row[3])


async def states(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    account_id: UUID,
    purposes: Sequence[str],
    addresses: Sequence[str],
    lives: bool = False,
) -> list[asyncpg.Record]:
    """Return (status, blocked, expired, paused, event id, sequence, uses left) of each, in order.

    With `lives` also (person id, time zone, own quiet hours' start and end). The first of
    `purposes` that has a state decides; all is none where there is no state.
    """
    topic = len(purposes) > 1
    asked = list(purposes) if topic else purposes[0]
    rows = await connection.fetch(_CHECKS[topic, lives], brand_id, account_id, addresses, asked)
    return list(rows)


async def contacts(
    connection: asyncpg.Connection, *, brand_id: UUID, people: Sequence[UUID], lock: bool
) -> dict[UUID, asyncpg.Record]:
    """Return when people were written to, and with what; `lock` them until the end, to add."""
    if lock:
        await connection.execute(_MEET, brand_id, people)
    rows = await connection.fetch(_LOCK if lock else _READ, brand_id, people)
    return {row["person_id"]: row for row in rows}


async def take_places(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    places: Sequence[tuple[UUID, UUID]],
    stale: Mapping[UUID, int],
    at: datetime,
) -> None:
    """Write down (person, message) that were let go; leave off so many old ones of each person."""
    people = [who for who, _ in places]
    await connection.execute(
        _TAKE_PLACES,
        brand_id,
        people,
        [stale[who] for who in people],
        [at] * len(people),
        [message_id for _, message_id in places],
    )


async def used_by(
    connection: asyncpg.Connection, *, brand_id: UUID, messages: Sequence[UUID]
) -> dict[UUID, str]:
    """Return which of these messages took something of a grant before, and of which."""
    rows = await connection.fetch(_USED_BY, brand_id, messages)
    return {row[0]: row[1] for row in rows}


async def use(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    account_id: UUID,
    purposes: Sequence[str],
    address: str,
    message_id: UUID,
) -> str | None:
    """Let a message take one of a grant's uses; return the grant, or none where none is left."""
    granted: str | None = await connection.fetchval(
        _USE, brand_id, account_id, list(purposes), address, message_id
    )
    return granted
