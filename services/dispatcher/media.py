"""Take in a picture or a video: look at what it is, and keep nothing but what can be seen of it."""

import asyncio
import hashlib
import re
from typing import Literal
from urllib.parse import unquote
from uuid import UUID

from services.dispatcher import ffprobe
from services.dispatcher.darkroom import NotMedia
from services.dispatcher.mp4 import NotMp4, VideoFacts, looks_like_mp4, read_mp4
from services.dispatcher.mp4_metadata import without_metadata
from services.dispatcher.store import MediaStore
from shared.contracts.campaigns import Media
from shared.ids import derived_id
from shared.problems import Problem

MOST_BYTES = 60 * 1024 * 1024
MP4 = "video/mp4"
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
    MP4: "mp4",
}
_CLAIMS_NOTHING = frozenset(["", "application/octet-stream", "binary/octet-stream"])
_UNSAFE = re.compile(r"[^\w.\- ]+")


async def take_in(
    store: MediaStore, brand_id: UUID, data: bytes, *, name: str | None, claimed: str = ""
) -> Media:
    """Check and store an upload; equal bytes of a brand are stored once.

    `claimed` is the MIME type that came with it. A picture is kept upright and, as a video, without
    metadata: where it was taken is nobody's business. Raises a problem (422 `unsupported_media` or
    `media_mismatch`, 413) that says what is wrong with it.
    """
    if len(data) > MOST_BYTES:
        raise Problem(413, "too_large", f"A file may have at most {MOST_BYTES} bytes.")
    try:
        mime = _recognised(data)
        _compare(claimed, mime)
        facts, clean = await (_film(data) if mime == MP4 else _picture(store, data, mime))
    except NotMedia as error:
        raise Problem(422, "unsupported_media", f"This file cannot be used: {error}.") from error
    digest = await asyncio.to_thread(lambda: hashlib.sha256(clean).hexdigest())
    kind: Literal["image", "video"] = "video" if mime == MP4 else "image"
    media = Media(
        id=derived_id(brand_id, digest),
        sha256=digest,
        kind=kind,
        mime=mime,
        width=facts.width,
        height=facts.height,
        seconds=facts.seconds if kind == "video" else None,
        codec=facts.codec,
        sound=facts.sound,
        bytes=len(clean),
    )
    await store.keep(brand_id, media, name=file_name(name, mime), data=clean)
    return media


def _recognised(data: bytes) -> str:
    """Return the MIME type that the first bytes tell."""
    if looks_like_mp4(data):
        return MP4
    expected = next((name for magic, name in _MAGIC if data.startswith(magic)), None)
    if expected is None:
        raise NotMedia("it is not a JPEG, PNG, WebP, GIF or MP4")
    return _MIME[expected]


def _compare(claimed: str, mime: str) -> None:
    """Refuse a film that was sent as a picture, or a page as either: somebody took the wrong file.

    A PNG that is called .jpg is what its bytes are: many are.
    """
    told = claimed.partition(";")[0].strip().lower()
    if told in _CLAIMS_NOTHING or told.partition("/")[0] == mime.partition("/")[0]:
        return
    raise Problem(
        422,
        "media_mismatch",
        f"This file came as {told[:80]} and is {mime}: send the file that was meant, or this one"
        " with the type that it has.",
    )


async def _picture(store: MediaStore, data: bytes, mime: str) -> tuple[VideoFacts, bytes]:
    kind = next(name for name, each in _MIME.items() if each == mime)
    width, height, clean = await store.darkroom.develop(data, kind)
    return VideoFacts(width, height, 0.0), clean


async def _film(data: bytes) -> tuple[VideoFacts, bytes]:
    """Return a video's facts, by ffprobe where it is there, and the video without metadata."""
    try:
        facts, clean = await asyncio.to_thread(lambda: (read_mp4(data), without_metadata(data)))
        program = ffprobe.find()
        told = await ffprobe.probe(program, clean) if program else None
    except NotMp4 as error:
        raise NotMedia(str(error)) from error
    except ffprobe.Unreadable as error:
        raise NotMedia("the video is damaged") from error
    return told or facts, clean


def file_name(given: str | None, mime: str) -> str:
    """Return a harmless name with the right ending; `given` may be percent-encoded."""
    plain = unquote(given or "").rpartition("/")[2]
    stem = _UNSAFE.sub("", plain.rpartition(".")[0] or plain).strip(" .")[:80] or "media"
    return f"{stem}.{_ENDING[mime]}"
