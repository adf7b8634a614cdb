"""Take in a picture or a video: look at what it is, never at what it is called."""

import asyncio
import hashlib
import io
import re
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import Literal
from urllib.parse import unquote
from uuid import UUID

from PIL import Image, UnidentifiedImageError

from services.dispatcher.mp4 import NotMp4, looks_like_mp4, read_mp4
from services.dispatcher.store import MediaStore
from shared.contracts.campaigns import Media
from shared.ids import derived_id
from shared.problems import Problem

MOST_BYTES = 60 * 1024 * 1024
MOST_PIXELS = 50_000_000
_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"RIFF", "WEBP"),
    (b"GIF8", "GIF"),
)
_MIME = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
_ENDING = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/gif": "gif",
    "video/mp4": "mp4",
}
_ORIENTATION = 0x0112
_UNSAFE = re.compile(r"[^\w.\- ]+")

# The size is checked below, from the header, before a pixel is decoded; Pillow's own guard would
# only warn.
Image.MAX_IMAGE_PIXELS = None
# One picture at a time: a decoded one takes four bytes per pixel.
_decoder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decoder")


class NotMedia(ValueError):
    """These bytes are nothing that we take; the text says why, for people."""


async def take_in(store: MediaStore, brand_id: UUID, data: bytes, *, name: str | None) -> Media:
    """Check and store an upload; equal bytes of a brand are stored once.

    Raises a problem (422 `unsupported_media`, 413) that says what is wrong with it.
    """
    if len(data) > MOST_BYTES:
        raise Problem(413, "too_large", f"A file may have at most {MOST_BYTES} bytes.")
    try:
        kind, mime, width, height, seconds = await _facts(data)
    except NotMedia as error:
        raise Problem(422, "unsupported_media", f"This file cannot be used: {error}.") from error
    digest = hashlib.sha256(data).hexdigest()
    media = Media(
        id=derived_id(brand_id, digest),
        sha256=digest,
        kind=kind,
        mime=mime,
        width=width,
        height=height,
        seconds=seconds,
        bytes=len(data),
    )
    await store.keep(brand_id, media, name=file_name(name, mime), data=data)
    return media


_Facts = tuple[Literal["image", "video"], str, int, int, float | None]


async def _facts(data: bytes) -> _Facts:
    if looks_like_mp4(data):
        try:
            video = await asyncio.to_thread(read_mp4, data)
        except NotMp4 as error:
            raise NotMedia(str(error)) from error
        return "video", "video/mp4", video.width, video.height, video.seconds
    expected = next((name for magic, name in _MAGIC if data.startswith(magic)), None)
    if expected is None:
        raise NotMedia("it is not a JPEG, PNG, WebP, GIF or MP4")
    loop = asyncio.get_running_loop()
    width, height = await loop.run_in_executor(_decoder, _decode, data, expected)
    return "image", _MIME[expected], width, height, None


def _decode(data: bytes, expected: str) -> tuple[int, int]:
    """Decode a picture whole, so that a damaged one is found here and not by a platform."""
    try:
        with Image.open(io.BytesIO(data), formats=[expected]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise NotMedia(f"it has more than {MOST_PIXELS} pixels")
            if expected != "GIF" and getattr(image, "is_animated", False):
                raise NotMedia("it is animated; send it as a GIF or an MP4")
            turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
            image.load()
            return (image.height, image.width) if turned else (image.width, image.height)
    except UnidentifiedImageError as error:
        raise NotMedia("it cannot be read as a picture") from error
    # What Pillow raises for damaged files, by its decoders: OSError, SyntaxError, ValueError, …
    except (OSError, EOFError, SyntaxError, LookupError, TypeError, struct.error) as error:
        raise NotMedia("the picture is damaged") from error
    except ValueError as error:
        if isinstance(error, NotMedia):
            raise
        raise NotMedia("the picture is damaged") from error


def file_name(given: str | None, mime: str) -> str:
    """Return a harmless name with the right ending; `given` may be percent-encoded."""
    plain = unquote(given or "").rpartition("/")[2]
    stem = _UNSAFE.sub("", plain.rpartition(".")[0] or plain).strip(" .")[:80] or "media"
    return f"{stem}.{_ENDING[mime]}"
