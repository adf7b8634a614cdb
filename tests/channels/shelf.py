"""A shelf of media in memory, with the promises that channels rely on, and a note of each use."""

import asyncio
from datetime import datetime
from io import BytesIO
from uuid import UUID

from PIL import Image

from channels.base.channel import MediaFile
from shared.contracts.stories import MediaFacts
from shared.ids import new_id


class Shelf:
    """One account's shelf: who is given none is the uploader, and the others wait for it."""

    def __init__(self) -> None:
        self.files: dict[UUID, MediaFile] = {}
        self.references: dict[UUID, str] = {}
        self.uploading: dict[UUID, asyncio.Event] = {}
        self.read: list[UUID] = []
        """Whose bytes were asked for, in order."""

    def put(self, data: bytes, *, mime: str = "image/jpeg", name: str = "frame.jpg") -> UUID:
        media_id = new_id()
        self.files[media_id] = MediaFile(id=media_id, mime=mime, name=name, data=data)
        return media_id

    async def reference(self, media_id: UUID) -> str | None:
        await asyncio.sleep(0)  # Somebody else may run in between, as with a real shelf.
        while media_id not in self.references:
            if media_id not in self.uploading:
                self.uploading[media_id] = asyncio.Event()
                return None
            await self.uploading[media_id].wait()
        return self.references[media_id]

    async def file(self, media_id: UUID) -> MediaFile:
        self.read.append(media_id)
        await asyncio.sleep(0)
        return self.files[media_id]

    async def keep(
        self, media_id: UUID, reference: str, *, expires_at: datetime | None = None
    ) -> None:
        self.references[media_id] = reference
        self._let_go(media_id)

    async def give_up(self, media_id: UUID) -> None:
        self._let_go(media_id)

    async def forget(self, media_id: UUID, reference: str) -> None:
        if self.references.get(media_id) == reference:
            del self.references[media_id]

    def _let_go(self, media_id: UUID) -> None:
        if waiting := self.uploading.pop(media_id, None):
            waiting.set()


def picture(colour: str = "white", *, width: int = 90, height: int = 160) -> bytes:
    """Draw a JPEG of one colour."""
    drawn = BytesIO()
    Image.new("RGB", (width, height), colour).save(drawn, "JPEG")
    return drawn.getvalue()


def photo_facts(media_id: UUID, *, width: int = 90, height: int = 160) -> MediaFacts:
    """Describe such a picture to a renderer."""
    return MediaFacts(
        id=media_id, kind="image", mime="image/jpeg", width=width, height=height, bytes=2_000
    )
