"""Media and their chunks."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from shared.contracts.campaigns import Media


async def insert(
    connection: asyncpg.Connection, *, brand_id: UUID, facts: Media, name: str
) -> bool:
    """Insert the facts; false when the brand has these bytes already."""
    return bool(
        await connection.fetchval(
            "INSERT INTO dispatcher.media (brand_id, id, sha256, kind, mime, name, width, height,"
            " seconds, codec, sound, bytes)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
            " ON CONFLICT DO NOTHING RETURNING true",
            brand_id,
            facts.id,
            facts.sha256,
            facts.kind,
            facts.mime,
            name,
            facts.width,
            facts.height,
            facts.seconds,
            facts.codec,
            facts.sound,
            facts.bytes,
        )
    )


async def insert_chunks(
    connection: asyncpg.Connection, *, brand_id: UUID, media_id: UUID, chunks: Sequence[bytes]
) -> None:
    """Insert the bytes, in order."""
    await connection.executemany(
        "INSERT INTO dispatcher.media_chunk (brand_id, media_id, number, data)"
        " VALUES ($1, $2, $3, $4)",
        [(brand_id, media_id, number, chunk) for number, chunk in enumerate(chunks)],
    )


async def head(
    connection: asyncpg.Connection, *, brand_id: UUID, media_id: UUID
) -> tuple[str, str, int] | None:
    """Return mime, name and size, or None."""
    row = await connection.fetchrow(
        "SELECT mime, name, bytes FROM dispatcher.media WHERE brand_id = $1 AND id = $2",
        brand_id,
        media_id,
    )
    return None if row is None else (row["mime"], row["name"], row["bytes"])


async def all_chunks(
    connection: asyncpg.Connection, *, brand_id: UUID, media_id: UUID
) -> list[bytes]:
    """Return the bytes, in order."""
    rows = await connection.fetch(
        "SELECT data FROM dispatcher.media_chunk WHERE brand_id = $1 AND media_id = $2"
        " ORDER BY number",
        brand_id,
        media_id,
    )
    return [row[0] for row in rows]


async def chunk(
    connection: asyncpg.Connection, *, brand_id: UUID, media_id: UUID, number: int
) -> bytes:
    """Return one piece of the bytes."""
    data: bytes = await connection.fetchval(
        "SELECT data FROM dispatcher.media_chunk"
        " WHERE brand_id = $1 AND media_id = $2 AND number = $3",
        brand_id,
        media_id,
        number,
    )
    return data


async def fitted(
    connection: asyncpg.Connection, *, brand_id: UUID, media_id: UUID, limits: str
) -> UUID | None:
    """Return the media that a picture became for a platform with these limits, or None."""
    found: UUID | None = await connection.fetchval(
        "SELECT fitted_id FROM dispatcher.media_fit"
        " WHERE brand_id = $1 AND media_id = $2 AND limits = $3",
        brand_id,
        media_id,
        limits,
    )
    return found


async def insert_fitted(
    connection: asyncpg.Connection, *, brand_id: UUID, media_id: UUID, limits: str, fitted_id: UUID
) -> None:
    """Remember what a picture became; whoever came first is right, as all of them made the same."""
    await connection.execute(
        "INSERT INTO dispatcher.media_fit (brand_id, media_id, limits, fitted_id)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        brand_id,
        media_id,
        limits,
        fitted_id,
    )
