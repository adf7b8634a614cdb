"""Links to a person's own page: who it is about is sealed in the link, and nobody can make one.

    base64url( 12 nonce | AES-256-GCM( 16 brand | 16 person | 4 seconds since 1970 ) )

86 characters. The nonce follows from what is sealed (HMAC-SHA256), so one link is always spelled
the same and a reply that is queued once more says the same words.

The keys follow from secrets of their own. New links are sealed under the last one, and each opens
what it has sealed: take one away 30 days after the next was added, and no link ends before its
time. Whatever a wrong token looks like, it costs as much as any other: one decryption per key.
"""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

GOOD_FOR: Final = timedelta(days=30)
_NONCE: Final = 12
_LENGTH: Final = 86
_NONE: Final = bytes(64)
"""Stands for a token that is none, and opens as little."""
_ABOUT: Final = b"permesso/person page/1"


class LinkRefused(Exception):
    """The link is none of ours, or its time is over."""

    def __init__(self, *, expired: bool) -> None:
        """Say whether it once was good."""
        super().__init__("expired" if expired else "unknown")
        self.expired = expired


@dataclass(frozen=True, slots=True)
class Link:
    """Whose page a link leads to."""

    brand_id: UUID
    person_id: UUID
    issued_at: datetime


class Links:
    """Makes and reads links."""

    def __init__(self, public_url: str, secrets: Sequence[str]) -> None:
        """Lead to the gateway at `public_url`; the last of the secrets is for new links."""
        self._base = f"{public_url}/p/"
        keys = [
            HKDF(SHA256(), 64, salt=None, info=_ABOUT).derive(each.encode()) for each in secrets
        ]
        self._aeads = [AESGCM(key[:32]) for key in keys]
        self._nonces = keys[-1][32:]

    def token(self, brand_id: UUID, person_id: UUID, *, now: datetime) -> str:
        """Return what names a person's page for the next 30 days."""
        plain = brand_id.bytes + person_id.bytes + struct.pack(">I", int(now.timestamp()))
        nonce = hmac.digest(self._nonces, plain, "sha256")[:_NONCE]
        return _spelled(nonce + self._aeads[-1].encrypt(nonce, plain, _ABOUT))

    def url(self, brand_id: UUID, person_id: UUID, *, now: datetime) -> str:
        """Return the address of a person's page."""
        return self._base + self.token(brand_id, person_id, now=now)

    def read(self, token: str, *, now: datetime) -> Link:
        """Return whose page it is, or raise `LinkRefused`."""
        try:
            raw = urlsafe_b64decode(token + "==") if len(token) == _LENGTH else _NONE
        except (NotBase64, ValueError):
            raw = _NONE
        opened = [plain for aead in self._aeads if (plain := _open(aead, raw)) is not None]
        # Base64 may hide a few bits that nobody reads: there is one spelling, and no other.
        if not opened or _spelled(raw) != token:
            raise LinkRefused(expired=False)
        plain = opened[0]
        (seconds,) = struct.unpack(">I", plain[32:])
        issued_at = datetime.fromtimestamp(seconds, UTC)
        if now > issued_at + GOOD_FOR:
            raise LinkRefused(expired=True)
        return Link(UUID(bytes=plain[:16]), UUID(bytes=plain[16:32]), issued_at)


def _open(aead: AESGCM, raw: bytes) -> bytes | None:
    try:
        return aead.decrypt(raw[:_NONCE], raw[_NONCE:], _ABOUT)
    except (InvalidTag, ValueError):
        return None


def _spelled(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
