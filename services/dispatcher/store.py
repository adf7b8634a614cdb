"""Where the bytes of pictures and videos are: in PostgreSQL, behind this one interface."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlmodel import col

from channels.base.channel import MediaFile
from channels.base.media import FORMATS, PictureLimits, fit_picture
from services.dispatcher.darkroom import Darkroom
from services.dispatcher.queries import media
from services.dispatcher.tables import MediaRow
from shared.contracts.campaigns import Media
from shared.contracts.stories import MediaFacts
from shared.database import Database
from shared.ids import derived_id

log = structlog.get_logger()

CHUNK = 256 * 1024
"""Bytes in one row: small enough for a row, large enough to be few."""


class NoSuchMedia(Exception):
    """This brand has no media of this id."""


class MediaStore:
    """Keeps and reads media, one brand at a time."""

    def __init__(self, database: Database) -> None:
        """Keep everything in `database`."""
        self._database = database
        self.darkroom = Darkroom()
        self._fitting: dict[tuple[UUID, UUID, str], asyncio.Task[UUID]] = {}

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

    async def close(self) -> None:
        """Break off what is being fitted."""
        for task in list(self._fitting.values()):
            task.cancel()
        await asyncio.gather(*self._fitting.values(), return_exceptions=True)

    def warm(self, brand_id: UUID, media_ids: Iterable[UUID], limits: PictureLimits) -> None:
        """Begin to fit pictures that will be asked for; what fails here is tried again then."""
        for media_id in media_ids:
            self._fit_task(brand_id, media_id, limits)

    async def read_fitted(
        self, brand_id: UUID, media_id: UUID, limits: PictureLimits | None
    ) -> MediaFile:
        """Return a picture as it fits the limits, a video or a GIF as it is; `NoSuchMedia`.

        A picture is fitted once for each limits, also when whoever asked for it has gone.
        """
        if limits is None:
            return await self.read(brand_id, media_id)
        fitted_id = await asyncio.shield(self._fit_task(brand_id, media_id, limits))
        return await self.read(brand_id, fitted_id)

    def _fit_task(
        self, brand_id: UUID, media_id: UUID, limits: PictureLimits
    ) -> asyncio.Task[UUID]:
        key = (brand_id, media_id, limits.name)
        task = self._fitting.get(key)
        if task is None:
            task = asyncio.create_task(self._fitted(brand_id, media_id, limits))
            self._fitting[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        return task

    def _landed(self, key: tuple[UUID, UUID, str], task: asyncio.Task[UUID]) -> None:
        del self._fitting[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("media.not_fitted", media=str(key[1]), reason=type(error).__name__)

    async def _fitted(self, brand_id: UUID, media_id: UUID, limits: PictureLimits) -> UUID:
        facts = (await self.facts(brand_id, [media_id])).get(media_id)
        if facts is None:
            raise NoSuchMedia(str(media_id))
        wanted = fit_picture(facts, limits) if facts.mime in FORMATS else None
        if wanted is None or not wanted.changed:
            return media_id
        async with self._database.connection(brand_id) as connection:
            known = await media.fitted(
                connection, brand_id=brand_id, media_id=media_id, limits=limits.name
            )
        if known is not None:
            return known
        file = await self.read(brand_id, media_id)
        mime, width, height, data = await self.darkroom.fit(
            file.data,
            FORMATS[facts.mime],
            width=wanted.width,
            height=wanted.height,
            most_bytes=limits.most_bytes,
            keep=facts.mime in limits.formats,
        )
        digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        made = Media(
            id=derived_id(brand_id, digest),
            sha256=digest,
            kind="image",
            mime=mime,
            width=width,
            height=height,
            bytes=len(data),
        )
        name = f"{file.name.rpartition('.')[0] or 'media'}.{FORMATS[mime].lower()}"
        await self.keep(brand_id, made, name=name.replace(".jpeg", ".jpg"), data=data)
        async with self._database.connection(brand_id) as connection:
            await media.insert_fitted(
                connection,
                brand_id=brand_id,
                media_id=media_id,
                limits=limits.name,
                fitted_id=made.id,
            )
        return made.id

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
