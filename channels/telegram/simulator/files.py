"""Files: what is uploaded, what it is, and the ids by which a bot may send it again.

An id belongs to one bot, as on the real platform: it is derived from the bot and the bytes, so the
same upload has the same id again.
"""

import asyncio
import base64
import io
from collections import OrderedDict
from hashlib import sha256
from typing import Any

from PIL import Image, UnidentifiedImageError

from channels.base.simulator.requests import Upload
from channels.telegram.simulator.errors import bad_request, wrong_file
from channels.telegram.simulator.state import Bot, StoredFile
from channels.telegram.simulator.video import video_facts

PHOTO_BYTES = 10 * 1024 * 1024
FILE_BYTES = 50 * 1024 * 1024
DOWNLOAD_BYTES = 20 * 1024 * 1024
KEPT_BYTES = 512 * 1024 * 1024
DIMENSIONS = 10_000
RATIO = 20
_PREFIX = {
    "photo": "AgACAgQAAxkDAAIB",
    "video": "BAACAgQAAxkDAAIB",
    "animation": "CgACAgQAAxkDAAIB",
    "document": "BQACAgQAAxkDAAIB",
    "audio": "CQACAgQAAxkDAAIB",
    "voice": "AwACAgQAAxkDAAIB",
}
_NAMES = {kind: kind.capitalize() for kind in _PREFIX}
_SIZES = ((90, "s"), (320, "m"), (800, "x"), (1280, "y"))
_MIMES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}


class Blobs:
    """The bytes of all files, each once, the oldest forgotten when there are too many."""

    def __init__(self, most: int = KEPT_BYTES) -> None:
        """Keep at most so many bytes."""
        self._blobs: OrderedDict[str, tuple[bytes, str]] = OrderedDict()
        self._size = 0
        self._most = most

    def put(self, data: bytes, mime: str) -> str:
        """Keep bytes; return the key they are found by."""
        key = sha256(data).hexdigest()
        if key not in self._blobs:
            self._blobs[key] = (data, mime)
            self._size += len(data)
            while self._size > self._most and len(self._blobs) > 1:
                _, (oldest, _) = self._blobs.popitem(last=False)
                self._size -= len(oldest)
        return key

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Return bytes and their MIME type, if they are still kept."""
        return self._blobs.get(key)

    def clear(self) -> None:
        """Forget everything."""
        self._blobs.clear()
        self._size = 0


async def store(bot: Bot, blobs: Blobs, upload: Upload, kind: str, given: dict[str, Any]) -> str:
    """Take an upload as a photo, a video, …; return its file id."""
    if len(upload.data) > (PHOTO_BYTES if kind == "photo" else FILE_BYTES):
        raise bad_request("file is too big")
    if not upload.data:
        raise bad_request("file must be non-empty")
    mime, width, height, seconds = upload.mime, 0, 0, 0
    if kind == "photo":
        mime, width, height = await asyncio.to_thread(_photo_facts, upload.data)
    elif kind in ("video", "animation"):
        found = video_facts(upload.data)
        width = int(given.get("width") or found.width)
        height = int(given.get("height") or found.height)
        seconds = int(float(given.get("duration") or found.seconds))
        mime = "image/gif" if upload.data.startswith(b"GIF8") else "video/mp4"
    stored = StoredFile(
        kind=kind,
        blob=blobs.put(upload.data, mime),
        size=len(upload.data),
        name=upload.name or f"{kind}",
        mime=mime,
        width=width,
        height=height,
        seconds=seconds,
    )
    file_id = _file_id(bot, stored)
    bot.files[file_id] = stored
    return file_id


def _photo_facts(data: bytes) -> tuple[str, int, int]:
    """Return MIME type, width and height of a picture that Telegram would take as a photo."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
            mime = _MIMES.get(picture.format or "", "image/jpeg")
            picture.verify()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise bad_request("IMAGE_PROCESS_FAILED") from error
    except Image.DecompressionBombError as error:
        raise bad_request("PHOTO_INVALID_DIMENSIONS") from error
    if width + height > DIMENSIONS or max(width, height) > RATIO * min(width, height):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    return mime, width, height


def known(bot: Bot, file_id: str, kind: str) -> str:
    """Return the id of a file that this bot may send as `kind`; every other id is wrong."""
    stored = bot.files.get(file_id)
    if stored is None:
        stored_as = _size_of(bot, file_id)
        if stored_as is None:
            raise wrong_file()
        file_id, stored = stored_as
    if stored.kind != kind:
        raise bad_request(f"can't use file of type {_NAMES[stored.kind]} as {_NAMES[kind]}")
    return file_id


def _size_of(bot: Bot, file_id: str) -> tuple[str, StoredFile] | None:
    """Find the photo of which this is the id of a smaller size."""
    whole = file_id[:-1]
    stored = bot.files.get(whole + "y")
    if stored is not None and file_id[-1:] in "smxy":
        return whole + "y", stored
    return None


def find(bot: Bot, file_id: str) -> StoredFile | None:
    """Return a file of this bot by its id or the id of one of its sizes."""
    if file_id in bot.files:
        return bot.files[file_id]
    size = _size_of(bot, file_id) if file_id else None
    return size[1] if size else None


def described(bot: Bot, file_id: str) -> dict[str, Any]:
    """Return a message's field for this file: `{"photo": […]}`, `{"video": {…}}`, …"""
    stored = bot.files[file_id]
    unique = stored.blob[:15]
    if stored.kind == "photo":
        return {"photo": _sizes(file_id, unique, stored)}
    facts: dict[str, Any] = {
        "file_name": stored.name,
        "mime_type": stored.mime,
        "file_id": file_id,
        "file_unique_id": "Ag" + unique,
        "file_size": stored.size,
    }
    if stored.kind in ("video", "animation"):
        facts |= {"duration": stored.seconds, "width": stored.width, "height": stored.height}
    elif stored.kind in ("audio", "voice"):
        facts["duration"] = stored.seconds
    if stored.kind == "animation":
        # Telegram repeats an animation as a document, for old clients.
        return {"animation": facts, "document": {k: facts[k] for k in list(facts)[:5]}}
    return {stored.kind: facts}


def _sizes(file_id: str, unique: str, stored: StoredFile) -> list[dict[str, Any]]:
    longest = max(stored.width, stored.height)
    sizes = []
    for most, letter in _SIZES:
        last = letter == "y" or most >= longest
        scale = min(1.0, most / longest)
        sizes.append(
            {
                "file_id": file_id if last else file_id[:-1] + letter,
                "file_unique_id": "AQAD" + unique + ("y" if last else letter),
                "file_size": max(1, int(stored.size * scale * scale)),
                "width": max(1, round(stored.width * scale)),
                "height": max(1, round(stored.height * scale)),
            }
        )
        if last:
            break
    return sizes


def _file_id(bot: Bot, stored: StoredFile) -> str:
    seed = f"{bot.id}|{stored.kind}|{stored.blob}|{stored.width}x{stored.height}|{stored.seconds}"
    body = base64.urlsafe_b64encode(sha256(seed.encode()).digest()).decode().rstrip("=")
    return _PREFIX[stored.kind] + body + ("y" if stored.kind == "photo" else "E")
