"""Worked examples of media, and of what became of a story that is over."""

from typing import Any, Final

MEDIA_ID: Final = "019ab0c4-7c00-7000-8000-000000000004"

MEDIA: Final = {
    "id": MEDIA_ID,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "kind": "image",
    "mime": "image/jpeg",
    "width": 1080,
    "height": 1920,
    "seconds": None,
    "codec": None,
    "sound": None,
    "bytes": 248113,
}

ENDING: Final[dict[str, Any]] = {
    "expires_after": 86400,
    "ended_at": None,
    "waiting": 0,
    "deleted": 0,
    "replaced": 0,
    "kept": {},
}
