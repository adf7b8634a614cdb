"""The media of one account: uploaded once, then sent by the platform's own reference."""

import asyncio
from datetime import datetime
from typing import Protocol
from uuid import UUID

from channels.base.channel import MediaFile
from shared.database import Database


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
        return await self._store.read(self._brand_id, media_id)

    async def keep(
        self, media_id: UUID, reference: str, *, expires_at: datetime | None = None
    ) -> None:
        """Remember the platform's reference, and let those who wait use it."""
        self._known[media_id] = reference
        self._done(media_id)
        async with self._database.connection(self._brand_id) as connection:
            await connection.execute(
                "INSERT INTO dispatcher.media_upload"
                " (brand_id, account_id, media_id, reference, expires_at)"
                " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (brand_id, account_id, media_id)"
                " DO UPDATE SET reference = $4, expires_at = $5, created_at = now()",
                self._brand_id,
                self._account_id,
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
        async with self._database.connection(self._brand_id) as connection:
            await connection.execute(
                "DELETE FROM dispatcher.media_upload"
                " WHERE brand_id = $1 AND account_id = $2 AND media_id = $3",
                self._brand_id,
                self._account_id,
                media_id,
            )

    def _done(self, media_id: UUID) -> None:
        if upload := self._uploading.pop(media_id, None):
            upload.set()

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
