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
_RECALL = """
INSERT INTO consent.denial (brand_id, person_id, reach, target, purpose, platform_at, seq, event_id)
SELECT s.brand_id, x.person_id, s.reach, s.target, s.purpose, s.platform_at, s.seq, s.event_id
FROM unnest($2::bytea[], $3::uuid[]) AS x(hash, person_id)
JOIN consent.suppression s ON s.brand_id = $1 AND s.hash = x.hash
"""


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
