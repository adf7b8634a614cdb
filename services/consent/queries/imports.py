"""Imports: some hundred people in a few statements, and each of them under their lock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg
import orjson

from services.consent.evidence import Half
from services.consent.queries import suppression
from services.consent.queries.people import Place
from services.consent.suppression import Suppressor

_COLUMNS = (
    "id, account_id, purpose, rows, granted, known, suppressed, quarantined, reasons,"
    " created_at, ended_at"
)
_BEGIN = """
INSERT INTO consent.import (brand_id, id, account_id, purpose) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
"""
_FIND = f"SELECT {_COLUMNS} FROM consent.import WHERE brand_id = $1 AND id = $2"  # noqa: S608
_COUNT = f"""
UPDATE consent.import SET rows = rows + $3, granted = granted + $4, known = known + $5,
    suppressed = suppressed + $6, quarantined = quarantined + $7, reasons = $8
WHERE brand_id = $1 AND id = $2 RETURNING {_COLUMNS}
"""  # noqa: S608 -- constants
_END = f"""
UPDATE consent.import SET ended_at = coalesce(ended_at, now()) WHERE brand_id = $1 AND id = $2
RETURNING {_COLUMNS}
"""  # noqa: S608 -- constants
_SET_ASIDE = """
INSERT INTO consent.import_aside (brand_id, import_id, number, reason)
SELECT $1, $2, number, reason FROM unnest($3::int[], $4::text[]) AS x(number, reason)
"""
_ASIDE = """
SELECT number AS row, reason FROM consent.import_aside
WHERE brand_id = $1 AND import_id = $2 AND number > $3 ORDER BY number LIMIT $4
"""
# In the order of addresses: two imports that meet the same people do not wait in a circle.
_MEET = """
WITH met AS (
    INSERT INTO consent.identity (brand_id, channel, address, person_id)
    SELECT $1, $2, x.address, x.person_id
    FROM unnest($3::text[], $4::uuid[]) AS x(address, person_id) ORDER BY x.address COLLATE "C"
    ON CONFLICT DO NOTHING RETURNING person_id)
INSERT INTO consent.person (brand_id, id) SELECT $1, person_id FROM met RETURNING id
"""
_LOCK = """
SELECT i.address, p.id FROM consent.identity i
JOIN consent.person p ON p.brand_id = i.brand_id AND p.id = i.person_id
WHERE i.brand_id = $1 AND i.channel = $2 AND i.address = ANY ($3::text[])
ORDER BY p.id FOR UPDATE OF p
"""
_LOOK = """
SELECT x.address, s.status, s.expires_at <= now() AS expired, k.blocked_at IS NOT NULL AS blocked,
    EXISTS (SELECT FROM consent.denial d WHERE d.brand_id = $1 AND d.person_id = x.person_id
            AND d.purpose = ANY ($6::text[])
            AND (d.reach, d.target) IN (('account', $2::text), ('channel', $3), ('brand', '')))
        AS denied
FROM unnest($4::text[], $5::uuid[]) AS x(address, person_id)
LEFT JOIN LATERAL (
    SELECT * FROM consent.state t WHERE t.brand_id = $1 AND t.account_id = $2::text::uuid
        AND t.purpose = ANY ($6::text[]) AND t.address = x.address
    ORDER BY array_position($6::text[], t.purpose) LIMIT 1) AS s ON true
LEFT JOIN consent.address k ON k.brand_id = $1 AND k.account_id = $2::text::uuid
    AND k.address = x.address
"""
_KNOW = """
INSERT INTO consent.address (brand_id, account_id, address, person_id)
SELECT $1, $2, x.address, x.person_id
FROM unnest($3::text[], $4::uuid[]) AS x(address, person_id)
ON CONFLICT DO NOTHING
"""
_DESCRIBE = """
UPDATE consent.person p SET language = coalesce(p.language, x.language), tags = ARRAY(
    SELECT DISTINCT tag FROM (SELECT unnest(p.tags) UNION
        SELECT jsonb_array_elements_text(x.tags::jsonb)) AS t(tag) ORDER BY tag)
FROM unnest($2::uuid[], $3::text[], $4::text[]) AS x(person_id, language, tags)
WHERE p.brand_id = $1 AND p.id = x.person_id
"""
# In seconds, because a day of PostgreSQL's is not always 24 hours.
# There is a state already where a yes in the chat waits for its second half.
_GRANT = """
WITH line AS (
    INSERT INTO consent.event (brand_id, id, action, account_id, channel, person_id, purpose,
        scope, held_scope, purposes, sealed, commitment, recorded_at, outcome, expires_at)
    SELECT $1, x.id, 'import', $2, $3, x.person_id, $4, 'purpose', 'purpose',
        ARRAY[$4], x.sealed, x.commitment, now.at, 'granted', now.at + $10 * interval '1 second'
    FROM (SELECT clock_timestamp() AS at) AS now
    CROSS JOIN unnest($5::uuid[], $7::uuid[], $8::bytea[], $9::bytea[]) WITH ORDINALITY
        AS x(id, person_id, sealed, commitment, n) ORDER BY x.n
    RETURNING id, seq, person_id, recorded_at, expires_at),
ends AS (
    INSERT INTO consent.expiry (event_id, brand_id, expires_at, ask_at)
    SELECT id, $1, expires_at, recorded_at + $11 * interval '1 second' FROM line
    WHERE expires_at IS NOT NULL)
INSERT INTO consent.state (brand_id, account_id, purpose, address, status, event_id, seq, since,
    expires_at, person_id, paused_until)
SELECT $1, $2, $4, x.address, 'granted', line.id, line.seq, line.recorded_at, line.expires_at,
    line.person_id,
    CASE WHEN $4 <> 'service' THEN (
        SELECT max(p.until) FROM consent.pause p
        WHERE p.brand_id = $1 AND p.person_id = line.person_id
          AND (p.reach, p.target)
              IN (('account', $2::uuid::text), ('channel', $3), ('brand', ''))) END
FROM line JOIN unnest($5::uuid[], $6::text[]) AS x(id, address) ON x.id = line.id
ON CONFLICT (brand_id, account_id, purpose, address) DO UPDATE
SET status = excluded.status, event_id = excluded.event_id, seq = excluded.seq,
    since = excluded.since, expires_at = excluded.expires_at, uses_left = NULL,
    paused_until = excluded.paused_until
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand for an address, under the person's lock."""

    status: str | None
    expired: bool
    blocked: bool
    denied: bool
    """Some no covers the purpose here, on this or a wider reach."""


@dataclass(frozen=True, slots=True)
class Yes:
    """A row that becomes a line of the ledger."""

    event_id: UUID
    address: str
    person_id: UUID
    half: Half


async def begin(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    import_id: UUID,
    account_id: UUID,
    purpose: str,
) -> asyncpg.Record:
    """Begin an import, or find it begun."""
    await connection.execute(_BEGIN, brand_id, import_id, account_id, purpose)
    return await connection.fetchrow(_FIND, brand_id, import_id)


async def find(
    connection: asyncpg.Connection, *, brand_id: UUID, import_id: UUID, lock: bool = False
) -> asyncpg.Record | None:
    """Return an import; with `lock`, nobody else adds to it until the transaction ends."""
    return await connection.fetchrow(_FIND + " FOR UPDATE" * lock, brand_id, import_id)


async def count(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    import_id: UUID,
    counts: Mapping[str, int],
    reasons: Mapping[str, int],
) -> asyncpg.Record:
    """Add to the counts; `reasons` are all of them, with those of before."""
    names = ("rows", "granted", "known", "suppressed", "quarantined")
    return await connection.fetchrow(
        _COUNT, brand_id, import_id, *(counts.get(name, 0) for name in names), dict(reasons)
    )


async def end(connection: asyncpg.Connection, *, brand_id: UUID, import_id: UUID) -> asyncpg.Record:
    """Let nothing more be added."""
    return await connection.fetchrow(_END, brand_id, import_id)


async def set_aside(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    import_id: UUID,
    reasons: Mapping[int, str],
) -> None:
    """Remember which rows brought no consent, and why."""
    await connection.execute(_SET_ASIDE, brand_id, import_id, list(reasons), list(reasons.values()))


async def aside(
    connection: asyncpg.Connection, *, brand_id: UUID, import_id: UUID, after: int, limit: int
) -> list[asyncpg.Record]:
    """Return rows that brought no consent, in the order of the file."""
    return list(await connection.fetch(_ASIDE, brand_id, import_id, after, limit))


async def lock_people(
    connection: asyncpg.Connection,
    place: Place,
    *,
    met: Mapping[str, UUID],
    suppressor: Suppressor,
) -> dict[str, UUID]:
    """Lock the people at these addresses; who is new gets the id that `met` names.

    Who is new and was erased before keeps the no of then.
    """
    key = (place.brand_id, place.channel)
    locked: dict[str, UUID] = {}
    # More than once only where somebody was erased between the two statements.
    while addresses := sorted(met.keys() - locked.keys()):
        rows = await connection.fetch(_MEET, *key, addresses, [met[each] for each in addresses])
        new = {UUID(int=person.int) for (person,) in rows}
        if new:
            people = {
                hash: met[each] for each in addresses for hash in suppressor.hashes(*key, each)
            }
            recalled = {hash: person for hash, person in people.items() if person in new}
            await suppression.recall(connection, place.brand_id, recalled)
        rows = await connection.fetch(_LOCK, *key, addresses)
        # Who waited for the locks may hold those of people whose addresses a merge gave away.
        while (again := await connection.fetch(_LOCK, *key, addresses)) != rows:
            rows = again
        locked.update({address: UUID(int=person.int) for address, person in rows})
    return locked


async def look(
    connection: asyncpg.Connection,
    place: Place,
    *,
    asked: Sequence[str],
    people: Mapping[str, UUID],
) -> dict[str, Standing]:
    """Return how things stand at each address.

    `asked` are the purposes that decide: the state of the first one that has any, a no of each.
    """
    rows = await connection.fetch(
        _LOOK,
        place.brand_id,
        str(place.account_id),
        place.channel,
        list(people),
        list(people.values()),
        list(asked),
    )
    return {
        row["address"]: Standing(
            row["status"], bool(row["expired"]), bool(row["blocked"]), bool(row["denied"])
        )
        for row in rows
    }


async def grant(
    connection: asyncpg.Connection,
    place: Place,
    *,
    purpose: str,
    yeses: Sequence[Yes],
    lasts: timedelta | None,
    ask_after: timedelta | None,
) -> None:
    """Write the lines, and let them hold for as long as they last."""
    addresses, people = [y.address for y in yeses], [y.person_id for y in yeses]
    await connection.execute(_KNOW, place.brand_id, place.account_id, addresses, people)
    await connection.execute(
        _GRANT,
        place.brand_id,
        place.account_id,
        place.channel,
        purpose,
        [y.event_id for y in yeses],
        addresses,
        people,
        [y.half.sealed for y in yeses],
        [y.half.commitment for y in yeses],
        None if lasts is None else lasts.total_seconds(),
        None if ask_after is None else ask_after.total_seconds(),
    )


async def describe(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    people: Mapping[UUID, tuple[str | None, Sequence[str]]],
) -> None:
    """Add tags to people, and a language where none is known: person → (language, tags)."""
    await connection.execute(
        _DESCRIBE,
        brand_id,
        list(people),
        [language for language, _ in people.values()],
        [orjson.dumps(list(tags)).decode() for _, tags in people.values()],
    )
