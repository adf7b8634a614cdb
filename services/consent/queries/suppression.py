"""The no of those who were erased: kept by hash, and given back to whoever has that address."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

# All that the person ever refused, and from now on everything: for each of their addresses.
_KEEP = """
INSERT INTO consent.suppression AS s (brand_id, hash, reach, target, purpose, platform_at, seq,
    event_id)
SELECT $1, h.hash, d.reach, d.target, d.purpose, max(d.platform_at), $4, $5
FROM unnest($3::bytea[]) AS h(hash) CROSS JOIN (
    SELECT reach, target, purpose, platform_at FROM consent.denial
    WHERE brand_id = $1 AND person_id = $2
    UNION ALL SELECT 'brand', '', purpose, $6 FROM unnest($7::text[]) AS p(purpose)) AS d
GROUP BY h.hash, d.reach, d.target, d.purpose
ON CONFLICT (brand_id, hash, reach, target, purpose) DO UPDATE
SET platform_at = greatest(s.platform_at, excluded.platform_at), seq = excluded.seq,
    event_id = excluded.event_id
"""
# Who was erased twice may be kept under two keys: the later no is the one that counts.
_RECALL = """
INSERT INTO consent.denial (brand_id, person_id, reach, target, purpose, platform_at, seq, event_id)
SELECT DISTINCT ON (x.person_id, s.reach, s.target, s.purpose) s.brand_id,
    x.person_id, s.reach, s.target, s.purpose, s.platform_at, s.seq, s.event_id
FROM unnest($2::bytea[], $3::uuid[]) AS x(hash, person_id)
JOIN consent.suppression s ON s.brand_id = $1 AND s.hash = x.hash
ORDER BY x.person_id, s.reach, s.target, s.purpose, s.platform_at DESC, s.seq DESC
"""
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('consent.suppression_key', 0))"
_USE_KEY = "INSERT INTO consent.suppression_key (mark) VALUES ($1) ON CONFLICT DO NOTHING"
_KEYS = "SELECT mark FROM consent.suppression_key"


async def keep(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    person_id: UUID,
    hashes: Sequence[bytes],
    purposes: Sequence[str],
    at: datetime,
    seq: int,
    event_id: UUID,
) -> None:
    """Keep a person's denials by hash, with a no to all `purposes` of the brand as of `at`."""
    await connection.execute(
        _KEEP, brand_id, person_id, list(hashes), seq, event_id, at, list(purposes)
    )


async def recall(
    connection: asyncpg.Connection, brand_id: UUID, people: Mapping[bytes, UUID]
) -> None:
    """Let people who were met just now have the no that was kept by hash of their address."""
    await connection.execute(_RECALL, brand_id, list(people), list(people.values()))


async def use_key(connection: asyncpg.Connection, mark: bytes) -> None:
    """Write down that hashes are made under a key from now on; one process at a time."""
    await connection.execute(_ONE_AT_A_TIME)
    await connection.execute(_USE_KEY, mark)


async def keys_in_use(connection: asyncpg.Connection) -> list[bytes]:
    """Return the marks of all keys under which hashes may be kept."""
    return [row[0] for row in await connection.fetch(_KEYS)]
