"""Where the bytes of pictures and videos are: in PostgreSQL, behind this one interface."""

from collections.abc import AsyncIterator, Iterable
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from channels.base.channel import MediaFile
from services.dispatcher.queries import media
from services.dispatcher.tables import MediaRow
from shared.contracts.campaigns import Media
from shared.contracts.stories import MediaFacts
from shared.database import Database

CHUNK = 256 * 1024
"""Bytes in one row: small enough for a row, large enough to be few."""


class NoSuchMedia(Exception):
    """This brand has no media of this id."""


class MediaStore:
    """Keeps and reads media, one brand at a time."""

    def __init__(self, database: Database) -> None:
        """Keep everything in `database`."""
        self._database = database

    async def keep(self, brand_id: UUID, facts: Media, *, name: str, data: bytes) -> None:
        """Store facts and bytes in one transaction; what is there already stays."""
        async with self._database.connection(brand_id) as connection:
            if await media.insert(connection, brand_id=brand_id, facts=facts, name=name):
                await media.insert_chunks(
                    connection,
                    brand_id=brand_id,
                    media_id=facts.id,
                    chunks=[data[at : at + CHUNK] for at in range(0, len(data), CHUNK)],
                )

    async def find(self, brand_id: UUID, media_id: UUID) -> Media:
        """Return the facts of one, or raise `NoSuchMedia`."""
        async with self._database.begin(brand_id) as session:
            row = await session.get(MediaRow, (brand_id, media_id))
        if row is None:
            raise NoSuchMedia(str(media_id))
        return Media.model_validate({name: getattr(row, name) for name in Media.model_fields})

    async def facts(self, brand_id: UUID, media_ids: Iterable[UUID]) -> dict[UUID, MediaFacts]:
        """Return what a renderer may know of these; those that are not there are left out."""
        wanted = set(media_ids)
        if not wanted:
            return {}
        statement = select(MediaRow).where(
            col(MediaRow.brand_id) == brand_id, col(MediaRow.id).in_(wanted)
        )
        async with self._database.begin(brand_id) as session:
            rows = (await session.scalars(statement)).all()
        return {
            row.id: MediaFacts.model_validate(
                {name: getattr(row, name) for name in MediaFacts.model_fields}
            )
            for row in rows
        }

    async def read(self, brand_id: UUID, media_id: UUID) -> MediaFile:
        """Return a picture or a video with its bytes, or raise `NoSuchMedia`."""
        async with self._database.connection(brand_id) as connection:
            found = await media.head(connection, brand_id=brand_id, media_id=media_id)
            if found is None:
                raise NoSuchMedia(str(media_id))
            chunks = await media.all_chunks(connection, brand_id=brand_id, media_id=media_id)
        mime, name, _ = found
        return MediaFile(id=media_id, mime=mime, name=name, data=b"".join(chunks))

    async def stream(
        self, brand_id: UUID, media_id: UUID
    ) -> tuple[str, str, int, AsyncIterator[bytes]]:
        """Return mime, name, size and the bytes piece by piece, or raise `NoSuchMedia`."""
        async with self._database.connection(brand_id) as connection:
            found = await media.head(connection, brand_id=brand_id, media_id=media_id)
        if found is None:
            raise NoSuchMedia(str(media_id))
        return *found, self._pieces(brand_id, media_id, count=-(-found[2] // CHUNK))

    async def _pieces(self, brand_id: UUID, media_id: UUID, *, count: int) -> AsyncIterator[bytes]:
        # A transaction of its own for each piece: a slow reader must not hold one open.
        for number in range(count):
            async with self._database.connection(brand_id) as connection:
                piece = await media.chunk(
                    connection, brand_id=brand_id, media_id=media_id, number=number
                )
            yield piece
