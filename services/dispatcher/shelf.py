"""The media of one account: uploaded once, then sent by the platform's own reference.

What fails here must not be read as something that became of a message: before the call nothing was
taken, and after it a reference that could not be kept costs one more upload.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import asyncpg
import structlog

from channels.base.channel import MediaFile
from channels.base.media import PictureLimits
from channels.base.outcomes import BadContent, TryAgain
from services.dispatcher.darkroom import NotMedia
from services.dispatcher.store import NoSuchMedia
from shared import clock
from shared.database import Database, DatabaseUnavailable

log = structlog.get_logger()

_AWAY = (DatabaseUnavailable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
_BEFORE = timedelta(minutes=1)
"""Before a reference expires it is no longer used: a send takes some time to arrive."""


class Store(Protocol):
    """Where the bytes are."""

    async def read_fitted(
        self, brand_id: UUID, media_id: UUID, limits: PictureLimits | None
    ) -> MediaFile:
        """Return a picture or a video with its bytes, a picture as it fits."""
        ...


@dataclass(frozen=True, slots=True)
class _Known:
    """A reference, and until when it is used; None: until the platform says otherwise."""

    reference: str
    until: datetime | None

    @property
    def holds(self) -> bool:
        return self.until is None or self.until - clock.now() > _BEFORE


class Shelf:
    """See `channels.base.channel.MediaShelf`. One per open account; references are cached."""

    def __init__(
        self,
        database: Database,
        store: Store,
        *,
        brand_id: UUID,
        account_id: UUID,
        pictures: PictureLimits | None = None,
    ) -> None:
        """Keep references for one account of one brand, on a platform with these limits."""
        self._database = database
        self._store = store
        self._brand_id = brand_id
        self._account_id = account_id
        self._pictures = pictures
        self._known: dict[UUID, _Known] = {}
        self._uploading: dict[UUID, asyncio.Event] = {}

    async def reference(self, media_id: UUID) -> str | None:
        """Return the platform's reference; none makes the caller the uploader."""
        while (known := self._known.get(media_id)) is None or not known.holds:
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
        return known.reference

    async def file(self, media_id: UUID) -> MediaFile:
        """Return the bytes."""
        try:
            return await self._store.read_fitted(self._brand_id, media_id, self._pictures)
        except NoSuchMedia as error:
            raise BadContent("no_media") from error
        except NotMedia as error:
            raise BadContent("picture_not_fitted") from error
        except _AWAY as error:
            raise TryAgain("media_unavailable") from error

    async def keep(
        self, media_id: UUID, reference: str, *, expires_at: datetime | None = None
    ) -> None:
        """Remember the platform's reference, and let those who wait use it."""
        self._known[media_id] = _Known(reference, expires_at)
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

    async def forget(self, media_id: UUID, reference: str) -> None:
        """The platform no longer knows this reference: the next caller uploads again.

        Many sends hear of it at about the same time, and one has uploaded anew before the last.
        """
        known = self._known.get(media_id)
        if known is not None and known.reference == reference:
            del self._known[media_id]
        await self._write(
            "DELETE FROM dispatcher.media_upload"
            " WHERE brand_id = $1 AND account_id = $2 AND media_id = $3 AND reference = $4",
            media_id,
            reference,
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

    async def _stored(self, media_id: UUID) -> _Known | None:
        async with self._database.connection(self._brand_id) as connection:
            row = await connection.fetchrow(
                "SELECT reference, expires_at FROM dispatcher.media_upload WHERE brand_id = $1"
                " AND account_id = $2 AND media_id = $3",
                self._brand_id,
                self._account_id,
                media_id,
            )
        known = None if row is None else _Known(row["reference"], row["expires_at"])
        return known if known is not None and known.holds else None
