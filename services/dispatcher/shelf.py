"""The media of one account: uploaded once, then sent by the platform's own reference.

What fails here must not be read as something that became of a message: before the call nothing was
taken, and after it a reference that could not be kept costs one more upload.
"""

import asyncio
from datetime import datetime
from typing import Protocol
from uuid import UUID

import asyncpg
import structlog

from channels.base.channel import MediaFile
from channels.base.outcomes import BadContent, TryAgain
from services.dispatcher.store import NoSuchMedia
from shared.database import Database, DatabaseUnavailable

log = structlog.get_logger()

_AWAY = (DatabaseUnavailable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Store(Protocol):
    """Where the bytes are."""

    async def read(self, brand_id: UUID, media_id: UUID) -> MediaFile:
        """Return a picture or a video with its bytes."""
        ...


class Shelf:
    """See `channels.base.channel.MediaShelf`. One per open account; references are cached."""

    def __init__(
        self, database: Database, store: Store, *, brand_id: UUID, account_id: UUID
    ) -> None:
        """Keep references for one account of one brand."""
        self._database = database
        self._store = store
        self._brand_id = brand_id
        self._account_id = account_id
        self._known: dict[UUID, str] = {}
        self._uploading: dict[UUID, asyncio.Event] = {}

    async def reference(self, media_id: UUID) -> str | None:
        """Return the platform's reference; none makes the caller the uploader."""
        while (known := self._known.get(media_id)) is None:
            if (upload := self._uploading.get(media_id)) is not None:
                await upload.wait()
                continue
            self._uploading[media_id] = asyncio.Event()
            try:
                stored = await self._stored(media_id)
            except _AWAY as error:
                self._done(media_id)
                raise TryAgain("media_unavailable") from error
            except BaseException:
                self._done(media_id)
                raise
            if stored is None:
                return None
            self._known[media_id] = stored
            self._done(media_id)
        return known

    async def file(self, media_id: UUID) -> MediaFile:
        """Return the bytes."""
        try:
            return await self._store.read(self._brand_id, media_id)
        except NoSuchMedia as error:
            raise BadContent("no_media") from error
        except _AWAY as error:
            raise TryAgain("media_unavailable") from error

    async def keep(
        self, media_id: UUID, reference: str, *, expires_at: datetime | None = None
    ) -> None:
        """Remember the platform's reference, and let those who wait use it."""
        self._known[media_id] = reference
        self._done(media_id)
        await self._write(
            "INSERT INTO dispatcher.media_upload"
            " (brand_id, account_id, media_id, reference, expires_at)"
            " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (brand_id, account_id, media_id)"
            " DO UPDATE SET reference = $4, expires_at = $5, created_at = now()",
            media_id,
            reference,
            expires_at,
        )

    async def give_up(self, media_id: UUID) -> None:
        """The upload was not taken; whoever waits becomes the uploader."""
        self._done(media_id)

    async def forget(self, media_id: UUID) -> None:
        """The platform no longer knows the reference: the next caller uploads again."""
        self._known.pop(media_id, None)
        await self._write(
            "DELETE FROM dispatcher.media_upload"
            " WHERE brand_id = $1 AND account_id = $2 AND media_id = $3",
            media_id,
        )

    def _done(self, media_id: UUID) -> None:
        if upload := self._uploading.pop(media_id, None):
            upload.set()

    async def _write(self, statement: str, *values: object) -> None:
        try:
            async with self._database.connection(self._brand_id) as connection:
                await connection.execute(statement, self._brand_id, self._account_id, *values)
        except _AWAY as error:
            log.warning("media.not_remembered", reason=type(error).__name__)

    async def _stored(self, media_id: UUID) -> str | None:
        async with self._database.connection(self._brand_id) as connection:
            reference: str | None = await connection.fetchval(
                "SELECT reference FROM dispatcher.media_upload WHERE brand_id = $1"
                " AND account_id = $2 AND media_id = $3"
                " AND (expires_at IS NULL OR expires_at > now())",
                self._brand_id,
                self._account_id,
                media_id,
            )
        return reference
