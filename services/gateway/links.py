"""Links to a person's own page: who it is about is sealed in the link, and nobody can make one.

    base64url( 12 nonce | AES-256-GCM( 16 brand | 16 person | 4 seconds since 1970 ) )

86 characters. The nonce follows from what is sealed (HMAC-SHA256), so one link is always spelled
the same and a reply that is queued once more says the same words. The keys follow from the
gateway's pepper, so a change of that ends every link, as it ends every API key.
"""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
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

    def __init__(self, public_url: str, secret: str) -> None:
        """Lead to the gateway at `public_url`."""
        self._base = f"{public_url}/p/"
        keys = HKDF(SHA256(), 64, salt=None, info=_ABOUT).derive(secret.encode())
        self._aead, self._nonces = AESGCM(keys[:32]), keys[32:]

    def token(self, brand_id: UUID, person_id: UUID, *, now: datetime) -> str:
        """Return what names a person's page for the next 30 days."""
        plain = brand_id.bytes + person_id.bytes + struct.pack(">I", int(now.timestamp()))
        nonce = hmac.digest(self._nonces, plain, "sha256")[:_NONCE]
        return _spelled(nonce + self._aead.encrypt(nonce, plain, _ABOUT))

    def url(self, brand_id: UUID, person_id: UUID, *, now: datetime) -> str:
        """Return the address of a person's page."""
        return self._base + self.token(brand_id, person_id, now=now)

    def read(self, token: str, *, now: datetime) -> Link:
        """Return whose page it is, or raise `LinkRefused`."""
        if len(token) != _LENGTH:
            raise LinkRefused(expired=False)
        try:
            raw = urlsafe_b64decode(token + "==")
            plain = self._aead.decrypt(raw[:_NONCE], raw[_NONCE:], _ABOUT)
        except (NotBase64, ValueError, InvalidTag) as error:
            raise LinkRefused(expired=False) from error
        # Base64 may hide a few bits that nobody reads: there is one spelling, and no other.
        if _spelled(raw) != token:
            raise LinkRefused(expired=False)
        (seconds,) = struct.unpack(">I", plain[32:])
        issued_at = datetime.fromtimestamp(seconds, UTC)
        if now > issued_at + GOOD_FOR:
            raise LinkRefused(expired=True)
        return Link(UUID(bytes=plain[:16]), UUID(bytes=plain[16:32]), issued_at)


def _spelled(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
