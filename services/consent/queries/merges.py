"""Statements by which two persons become one, are taken apart, and take on an address.

Everywhere `$2` is whose addresses are meant and `$3` whose denials.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from uuid import UUID

import asyncpg

from services.consent.queries import checks
from shared.contracts.consent import Reached

# In one order, as everywhere: two who lock several people never wait for each other in a circle.
_LOCK = """
SELECT id, merged_into, language, timezone, quiet_start, quiet_end, tags, attributes
FROM consent.person
WHERE brand_id = $1 AND id = ANY ($2::uuid[]) ORDER BY id FOR UPDATE
"""
# Whoever was written to as one of two was written to as both: nobody gets more for being merged, or
# for being taken apart again.
_SHARE_CONTACTS = """
INSERT INTO consent.contact (brand_id, person_id, at, message_ids)
SELECT $1, $2, array_agg(x.at ORDER BY x.at, x.id), array_agg(x.id ORDER BY x.at, x.id)
FROM (SELECT DISTINCT ON (told.id) told.at, told.id
      FROM consent.contact c CROSS JOIN unnest(c.at, c.message_ids) AS told(at, id)
      WHERE c.brand_id = $1 AND c.person_id IN ($2, $3) ORDER BY told.id, told.at) AS x
HAVING count(*) > 0
ON CONFLICT (brand_id, person_id) DO UPDATE
SET at = excluded.at, message_ids = excluded.message_ids
"""
_SOMEWHERE = """
SELECT account_id, address FROM consent.address WHERE brand_id = $1 AND person_id = $2
ORDER BY created_at, account_id, address LIMIT 1
"""
_IN_REACH = """
(d.reach = 'brand' OR (d.reach = 'channel' AND d.target = a.channel)
    OR (d.reach = 'account' AND d.target = a.id::text))
"""
# Also where the person has never been heard of: a message may wait there for a named address.
_REACHES = f"""
SELECT a.id, i.address, array_agg(DISTINCT d.purpose ORDER BY d.purpose)
FROM consent.identity i
JOIN consent.account a ON a.brand_id = i.brand_id AND a.channel = i.channel
JOIN consent.denial d ON d.brand_id = i.brand_id AND d.person_id = $3 AND {_IN_REACH}
WHERE i.brand_id = $1 AND i.person_id = $2 GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608 -- built from constants
_REVOKE = f"""
INSERT INTO consent.state (brand_id, account_id, purpose, address, status, blocked, event_id, seq,
    since, person_id)
SELECT DISTINCT k.brand_id, k.account_id, d.purpose, k.address, 'revoked',
    k.blocked_at IS NOT NULL, $4::uuid, $5::bigint, $6::timestamptz, k.person_id
FROM consent.address k JOIN consent.account a ON a.brand_id = k.brand_id AND a.id = k.account_id
JOIN consent.denial d ON d.brand_id = k.brand_id AND d.person_id = $3 AND {_IN_REACH}
WHERE k.brand_id = $1 AND k.person_id = $2 AND ($7::text IS NULL OR k.address = $7)
ON CONFLICT (brand_id, account_id, purpose, address) DO UPDATE
SET status = 'revoked', blocked = excluded.blocked, event_id = excluded.event_id,
    seq = excluded.seq, since = excluded.since, expires_at = NULL
"""  # noqa: S608 -- built from constants
# A topic that was not refused by name follows `marketing`, as after any other no.
_FOLLOW = f"""
DELETE FROM consent.state s USING consent.account a, consent.denial d
WHERE s.brand_id = $1 AND s.person_id = $2 AND s.status <> 'revoked'
  AND s.purpose LIKE 'marketing.%' AND a.brand_id = s.brand_id AND a.id = s.account_id
  AND d.brand_id = s.brand_id AND d.person_id = $3 AND d.purpose = 'marketing' AND {_IN_REACH}
"""  # noqa: S608 -- built from constants
_SHARE_DENIALS = """
INSERT INTO consent.denial AS d (brand_id, person_id, reach, target, purpose, platform_at, seq,
    event_id)
SELECT brand_id, $2, reach, target, purpose, platform_at, seq, event_id
FROM consent.denial WHERE brand_id = $1 AND person_id = $3
ON CONFLICT (brand_id, person_id, reach, target, purpose) DO UPDATE
SET platform_at = greatest(d.platform_at, excluded.platform_at),
    seq = greatest(d.seq, excluded.seq),
    event_id = CASE WHEN excluded.seq > d.seq THEN excluded.event_id ELSE d.event_id END
"""
_GIVE_IDENTITIES = """
UPDATE consent.identity SET person_id = $3 WHERE brand_id = $1 AND person_id = $2
    AND ($4::jsonb IS NULL OR $4::jsonb @> jsonb_build_array(jsonb_build_array(channel, address)))
RETURNING channel, address
"""
_GIVE = """
UPDATE consent.{table} t SET person_id = $3 FROM consent.account a
WHERE t.brand_id = $1 AND t.person_id = $2 AND a.brand_id = t.brand_id AND a.id = t.account_id
    AND ($4::jsonb IS NULL
         OR $4::jsonb @> jsonb_build_array(jsonb_build_array(a.channel, t.address)))
"""
_DESCRIBE = """
UPDATE consent.person SET language = $3, timezone = $4, tags = $5, attributes = $6,
    quiet_start = $7, quiet_end = $8
WHERE brand_id = $1 AND id = $2
"""
_SET_MERGED = "UPDATE consent.person SET merged_into = $3 WHERE brand_id = $1 AND id = $2"
_REMEMBER = """
INSERT INTO consent.merge (brand_id, id, kept_id, gone_id, moved, added, at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_FIND = """
SELECT kept_id, gone_id, moved, added, split_at FROM consent.merge WHERE brand_id = $1 AND id = $2
"""
_END = "UPDATE consent.merge SET split_at = $3 WHERE brand_id = $1 AND id = $2"
_LINK = """
INSERT INTO consent.identity (brand_id, channel, address, person_id) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING true
"""
# Whoever is taken apart later takes along where their own address went.
_FOLLOW_MOVE = """
UPDATE consent.merge
SET moved = moved || jsonb_build_array(jsonb_build_array($3::text, $5::text))
WHERE brand_id = $1 AND kept_id = $2 AND split_at IS NULL
    AND moved @> jsonb_build_array(jsonb_build_array($3::text, $4::text))
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A person whose row is locked."""

    id: UUID
    merged_into: UUID | None
    language: str | None
    timezone: str | None
    quiet_start: time | None
    quiet_end: time | None
    tags: list[str]
    attributes: dict[str, object]

    @property
    def quiet(self) -> list[str] | None:
        """Their own quiet hours, as they are kept with a merge."""
        if self.quiet_start is None or self.quiet_end is None:
            return None
        return [self.quiet_start.isoformat(), self.quiet_end.isoformat()]

    def with_quiet(self, hours: Sequence[str] | None) -> "Held":
        """Return the same person with these hours."""
        start, end = (None, None) if hours is None else map(time.fromisoformat, hours)
        return replace(self, quiet_start=start, quiet_end=end)


async def lock(
    connection: asyncpg.Connection, brand_id: UUID, people: Sequence[UUID]
) -> dict[UUID, Held]:
    """Lock these people, and return those that there are."""
    rows = await connection.fetch(_LOCK, brand_id, list(people))
    return {UUID(int=row["id"].int): Held(**{**row, "id": UUID(int=row["id"].int)}) for row in rows}


async def somewhere(
    connection: asyncpg.Connection, brand_id: UUID, person_id: UUID
) -> asyncpg.Record | None:
    """Return where a person was met first: an account and an address."""
    return await connection.fetchrow(_SOMEWHERE, brand_id, person_id)


async def reaches(
    connection: asyncpg.Connection, brand_id: UUID, *, of: UUID, denials_of: UUID
) -> list[Reached]:
    """Return where the denials of one person reach the addresses of another."""
    rows = await connection.fetch(_REACHES, brand_id, of, denials_of)
    return [
        Reached(account_id=account_id, address=address, purposes=tuple(purposes))
        for account_id, address, purposes in rows
    ]


async def revoke(
    connection: asyncpg.Connection,
    brand_id: UUID,
    *,
    of: UUID,
    denials_of: UUID,
    event_id: UUID,
    seq: int,
    at: datetime,
    address: str | None = None,
) -> None:
    """Let one person's denials hold at another's addresses, or at one address alone."""
    who = (brand_id, of, denials_of)
    await connection.execute(_REVOKE, *who, event_id, seq, at, address)
    if address is None:
        await connection.execute(_FOLLOW, *who)


async def share_denials(
    connection: asyncpg.Connection, brand_id: UUID, *, to: UUID, of: UUID
) -> None:
    """Let every no of one person be one of another too."""
    await connection.execute(_SHARE_DENIALS, brand_id, to, of)


async def share_contacts(
    connection: asyncpg.Connection, brand_id: UUID, *, to: UUID, of: UUID
) -> None:
    """Let every message that one person got count for another too."""
    await checks.contacts(connection, brand_id=brand_id, people=[to, of], lock=True)
    await connection.execute(_SHARE_CONTACTS, brand_id, to, of)


async def give(
    connection: asyncpg.Connection,
    brand_id: UUID,
    *,
    of: UUID,
    to: UUID,
    only: Sequence[Sequence[str]] | None = None,
) -> list[list[str]]:
    """Give one person's addresses to another, or `only` some; return them: [channel, address]."""
    asked = (brand_id, of, to, None if only is None else list(map(list, only)))
    rows = await connection.fetch(_GIVE_IDENTITIES, *asked)
    for table in ("address", "state", "question", "pause", "review"):
        await connection.execute(_GIVE.format(table=table), *asked)
    return [[row["channel"], row["address"]] for row in rows]


async def describe(connection: asyncpg.Connection, brand_id: UUID, person: Held) -> None:
    """Write down what the brand noted of a person."""
    await connection.execute(
        _DESCRIBE,
        brand_id,
        person.id,
        person.language,
        person.timezone,
        person.tags,
        person.attributes,
        person.quiet_start,
        person.quiet_end,
    )


async def set_merged(
    connection: asyncpg.Connection, brand_id: UUID, person_id: UUID, *, into: UUID | None
) -> None:
    """Say who has a person's addresses; none: they have them themselves."""
    await connection.execute(_SET_MERGED, brand_id, person_id, into)


async def remember(
    connection: asyncpg.Connection,
    brand_id: UUID,
    merge_id: UUID,
    *,
    kept_id: UUID,
    gone_id: UUID,
    moved: Sequence[Sequence[str]],
    added: Mapping[str, object],
    at: datetime,
) -> None:
    """Keep what it takes to take them apart again."""
    await connection.execute(
        _REMEMBER, brand_id, merge_id, kept_id, gone_id, list(moved), dict(added), at
    )


async def find(
    connection: asyncpg.Connection, brand_id: UUID, merge_id: UUID
) -> asyncpg.Record | None:
    """Return a merge."""
    return await connection.fetchrow(_FIND, brand_id, merge_id)


async def end(
    connection: asyncpg.Connection, brand_id: UUID, merge_id: UUID, *, at: datetime
) -> None:
    """Write down that a merge was taken back."""
    await connection.execute(_END, brand_id, merge_id, at)


async def link(
    connection: asyncpg.Connection,
    brand_id: UUID,
    *,
    channel: str,
    person_id: UUID,
    address: str,
    new_address: str,
) -> bool:
    """Let a new address be a person's, as the old one is; false where somebody has it already."""
    if not await connection.fetchval(_LINK, brand_id, channel, new_address, person_id):
        return False
    await connection.execute(_FOLLOW_MOVE, brand_id, person_id, channel, address, new_address)
    return True
