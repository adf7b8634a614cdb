"""Who is behind an address, and the lock under which anything is recorded about them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.consent.policy import read_rules
from services.consent.queries import suppression
from services.consent.suppression import Suppressor
from shared.contracts.policy import BrandPolicy
from shared.ids import new_id


@dataclass(frozen=True, slots=True)
class Place:
    """An address on one account, and what the registry knows about that account."""

    brand_id: UUID
    account_id: UUID
    address: str
    channel: str
    country: str
    brand: str
    """The brand's name, as people know it."""
    languages: tuple[str, ...]
    """The brand's, the first one first."""
    policy: BrandPolicy


@dataclass(frozen=True, slots=True)
class Seen:
    """A person who was known before."""

    person_id: UUID
    known_since: datetime
    stale: bool
    """They have not been seen for a minute or more."""
    unknown_language: bool
    """The platform tells their language, and we did not know it."""
    recorded: bool
    """This very event is a line of the ledger already."""


# A brand that nobody told of has neither name nor law; what its people say holds all the same.
_PLACE = """
SELECT a.channel, coalesce(b.country, ''), coalesce(b.name, ''), coalesce(b.languages, '{}'),
    coalesce(b.policy::text, '{}')
FROM consent.account a LEFT JOIN consent.brand b ON b.brand_id = a.brand_id
WHERE a.brand_id = $1 AND a.id = $2
"""
_LOCK = """
SELECT p.id FROM consent.identity i
JOIN consent.person p ON p.brand_id = i.brand_id AND p.id = i.person_id
WHERE i.brand_id = $1 AND i.channel = $2 AND i.address = $3 FOR UPDATE OF p
"""
_WHOSE = """
SELECT person_id FROM consent.identity WHERE brand_id = $1 AND channel = $2 AND address = $3
"""
# Two who meet the same person at once: the index lets the second one wait and then insert nothing.
_MEET = """
WITH met AS (
    INSERT INTO consent.identity (brand_id, channel, address, person_id) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING RETURNING brand_id, person_id)
INSERT INTO consent.person (brand_id, id) SELECT brand_id, person_id FROM met RETURNING id
"""
_KNOW = """
INSERT INTO consent.address AS k (brand_id, account_id, address, person_id, seen_at, blocked_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (brand_id, account_id, address) DO UPDATE
SET seen_at = coalesce(excluded.seen_at, k.seen_at), blocked_at = excluded.blocked_at
"""
_SPEAKS = """
UPDATE consent.person SET language = $3 WHERE brand_id = $1 AND id = $2 AND language IS NULL
"""
_ZONE = """
SELECT coalesce(p.timezone, b.timezone, '') FROM consent.person p
LEFT JOIN consent.brand b ON b.brand_id = p.brand_id WHERE p.brand_id = $1 AND p.id = $2
"""
_LANGUAGE = "SELECT language FROM consent.person WHERE brand_id = $1 AND id = $2"
_BECAME = """
WITH RECURSIVE who AS (
    SELECT $2::uuid AS id
    UNION
    SELECT p.merged_into FROM who JOIN consent.person p ON p.brand_id = $1 AND p.id = who.id
    WHERE p.merged_into IS NOT NULL)
SELECT EXISTS (SELECT FROM who WHERE id = $3)
"""
_FIND_SEEN = """
SELECT k.person_id, k.created_at,
    coalesce(k.seen_at < now() - interval '1 minute', true),
    p.language IS NULL AND $5::text IS NOT NULL,
    EXISTS (SELECT 1 FROM consent.event e WHERE e.brand_id = $1 AND e.id = $4)
FROM consent.address k JOIN consent.person p ON p.brand_id = k.brand_id AND p.id = k.person_id
WHERE k.brand_id = $1 AND k.account_id = $2 AND k.address = $3
"""
_TOUCH = """
UPDATE consent.address SET seen_at = now() WHERE brand_id = $1 AND account_id = $2 AND address = $3
"""


async def find_place(
    connection: asyncpg.Connection, *, brand_id: UUID, account_id: UUID, address: str
) -> Place | None:
    """Return the place, or none when the registry was never told of the account."""
    row = await connection.fetchrow(_PLACE, brand_id, account_id)
    if row is None:
        return None
    channel, country, name, languages, told = row
    rules = read_rules(told)
    return Place(brand_id, account_id, address, channel, country, name, tuple(languages), rules)


async def lock_person(
    connection: asyncpg.Connection, place: Place, *, suppressor: Suppressor
) -> UUID:
    """Lock the person at an address until the transaction ends; meet them if they are new.

    Whatever is recorded about a person is recorded under this lock, so the ledger's sequence is
    the order in which it became true. Who is new and was erased before keeps the no of then.
    """
    key = (place.brand_id, place.channel, place.address)
    while True:
        if person := await connection.fetchval(_LOCK, *key):
            # Who waited for the lock may hold it on whom the address belonged to before a merge.
            if await connection.fetchval(_WHOSE, *key) == person:
                return UUID(int=person.int)
            continue
        if person := await connection.fetchval(_MEET, *key, new_id()):
            met = dict.fromkeys(suppressor.hashes(*key), UUID(int=person.int))
            await suppression.recall(connection, place.brand_id, met)
            return UUID(int=person.int)


async def know_address(
    connection: asyncpg.Connection,
    place: Place,
    *,
    person_id: UUID,
    seen_at: datetime | None,
    blocked_at: datetime | None,
) -> None:
    """Remember the address on its account, and whether it can be reached there."""
    await connection.execute(
        _KNOW, place.brand_id, place.account_id, place.address, person_id, seen_at, blocked_at
    )


async def learn_language(
    connection: asyncpg.Connection, *, brand_id: UUID, person_id: UUID, language: str
) -> None:
    """Take a platform's word for the person's language, unless one is known already."""
    await connection.execute(_SPEAKS, brand_id, person_id, language)


async def find_zone(connection: asyncpg.Connection, place: Place, *, person_id: UUID) -> str:
    """Return the person's time zone, else the brand's; empty where nobody told one."""
    zone: str = await connection.fetchval(_ZONE, place.brand_id, person_id)
    return zone


async def find_language(
    connection: asyncpg.Connection, place: Place, *, person_id: UUID
) -> str | None:
    """Return the person's language, if we know it."""
    language: str | None = await connection.fetchval(_LANGUAGE, place.brand_id, person_id)
    return language


async def became(connection: asyncpg.Connection, brand_id: UUID, *, was: UUID, is_: UUID) -> bool:
    """Say whether somebody is this person now: they always were, or were merged into them."""
    return bool(await connection.fetchval(_BECAME, brand_id, was, is_))


async def find_seen(
    connection: asyncpg.Connection, place: Place, *, event_id: UUID, language: str | None
) -> Seen | None:
    """Return the person, if this account has heard of them before; takes no lock."""
    row = await connection.fetchrow(
        _FIND_SEEN, place.brand_id, place.account_id, place.address, event_id, language
    )
    return None if row is None else Seen(*row)


async def touch(connection: asyncpg.Connection, place: Place) -> None:
    """Write down that the person was seen just now."""
    await connection.execute(_TOUCH, place.brand_id, place.account_id, place.address)
