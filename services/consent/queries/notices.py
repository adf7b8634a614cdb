"""Notices in the database: one row for each language of each version; rows are only added."""

from collections.abc import Mapping
from uuid import UUID

import asyncpg

_COLUMNS = "id, purpose, version, language, text, digest, created_at"
_LOCK = "SELECT 1 FROM consent.brand WHERE brand_id = $1 FOR UPDATE"
_INSERT = """
INSERT INTO consent.notice (brand_id, id, purpose, version, language, place, text, digest)
SELECT $1, $2, $3, (SELECT coalesce(max(version), 0) + 1 FROM consent.notice
    WHERE brand_id = $1 AND purpose = $3), x.language, x.place, x.text, x.digest
FROM unnest($4::text[], $5::text[], $6::text[]) WITH ORDINALITY
    AS x(language, text, digest, place)
"""
_ONE = f"""
SELECT {_COLUMNS} FROM consent.notice WHERE brand_id = $1 AND id = $2 ORDER BY place
"""  # noqa: S608 -- constants
_PAGE = f"""
SELECT {_COLUMNS} FROM consent.notice WHERE brand_id = $1 AND id IN (
    SELECT DISTINCT id FROM consent.notice
    WHERE brand_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3)
ORDER BY id DESC, place
"""  # noqa: S608 -- constants
# A topic's own notice comes before the one of all marketing.
_NEWEST = f"""
SELECT {_COLUMNS} FROM consent.notice WHERE brand_id = $1 AND id = (
    SELECT id FROM consent.notice WHERE brand_id = $1 AND purpose = ANY ($2::text[])
    ORDER BY array_position($2::text[], purpose), version DESC LIMIT 1)
ORDER BY place
"""  # noqa: S608 -- constants


async def lock_brand(connection: asyncpg.Connection, brand_id: UUID) -> bool:
    """Let nobody else give this brand's notices a number; say whether there is such a brand."""
    return await connection.fetchval(_LOCK, brand_id) is not None


async def insert(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    notice_id: UUID,
    purpose: str,
    wordings: Mapping[str, tuple[str, str]],
) -> None:
    """Write the next version: (text, digest) by language. The brand must be locked."""
    texts, digests = zip(*wordings.values(), strict=True)
    await connection.execute(
        _INSERT, brand_id, notice_id, purpose, list(wordings), list(texts), list(digests)
    )


async def one(
    connection: asyncpg.Connection, *, brand_id: UUID, notice_id: UUID
) -> list[asyncpg.Record]:
    """Return the rows of one notice, in the order in which its wordings were given."""
    return list(await connection.fetch(_ONE, brand_id, notice_id))


async def page(
    connection: asyncpg.Connection, *, brand_id: UUID, after: UUID | None, limit: int
) -> list[asyncpg.Record]:
    """Return the rows of so many notices, the newest first."""
    return list(await connection.fetch(_PAGE, brand_id, after, limit))


async def newest(
    connection: asyncpg.Connection, *, brand_id: UUID, purposes: tuple[str, ...]
) -> list[asyncpg.Record]:
    """Return the rows of what people are shown now: the first of `purposes` that has any."""
    return list(await connection.fetch(_NEWEST, brand_id, list(purposes)))
