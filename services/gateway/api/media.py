"""Media: pictures and videos on their way to the dispatcher, which finds out what they are."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, File, UploadFile
from starlette.responses import StreamingResponse

from services.gateway import media_examples
from services.gateway.errors import wrong_field
from services.gateway.examples import worked
from services.gateway.gate import Gate, needs
from services.gateway.house import By, Parts
from shared.contracts.campaigns import Media
from shared.problems import Problem

router = APIRouter(tags=["media"], route_class=Gate)

LARGEST: Final = 50 * 1024 * 1024
"""Bytes of one file: no platform takes more through its API."""
# A file is signed on its way to the dispatcher, hence once wholly in memory: so few at a time.
_AT_ONCE = asyncio.Semaphore(4)


@router.post("/v1/media", **worked(media_examples.MEDIA, status=201))
@needs("media:write")
async def upload_media(
    file: Annotated[
        UploadFile, File(description="A JPEG, PNG, WebP or GIF picture, or an MP4 video.")
    ],
    house: Parts,
    by: By,
) -> Media:
    """Upload a picture or a video (`multipart/form-data`). Equal bytes get the same id again.

    It is kept upright and without metadata (places, cameras, thumbnails), so `sha256` and `bytes`
    may differ from the file's. A picture may be larger than a platform takes: each gets it smaller.
    """
    if not file.size:
        raise wrong_field("/file", "The file is empty.")
    if file.size > LARGEST:
        raise Problem(413, "too_large", f"A file may have at most {LARGEST} bytes.")
    async with _AT_ONCE:
        return await house.dispatcher.put_media(
            by.brand_id,
            mime=_mime(file.content_type),
            name=(file.filename or "file")[:200],
            data=await file.read(),
        )


@router.get("/v1/media/{media_id}", **worked(media_examples.MEDIA))
@needs("stories:read")
async def get_media(media_id: UUID, house: Parts, by: By) -> Media:
    """Return the facts of a picture or a video."""
    return await house.dispatcher.get_media(by.brand_id, media_id)


@router.get(
    "/v1/media/{media_id}/content",
    response_class=StreamingResponse,
    response_description="The bytes.",
    responses={200: {"content": {"image/jpeg": {"schema": {"type": "string"}}}}},
)
@needs("stories:read")
async def get_media_content(media_id: UUID, house: Parts, by: By) -> StreamingResponse:
    """Return the bytes of a picture or a video."""
    media = await house.dispatcher.get_media(by.brand_id, media_id)

    async def content() -> AsyncIterator[bytes]:
        async with house.dispatcher.media_content(by.brand_id, media_id) as response:
            async for piece in response.aiter_bytes():
                yield piece

    headers = {
        "Content-Length": str(media.bytes),
        "Content-Disposition": "attachment",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(content(), headers=headers, media_type=media.mime)


def _mime(told: str | None) -> str:
    """Return what the caller says it is, where a header can hold that; nobody believes it."""
    kind = (told or "").partition(";")[0].strip()
    return (
        kind
        if kind.isascii() and kind.isprintable() and "/" in kind
        else "application/octet-stream"
    )
