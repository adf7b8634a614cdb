"""What is kept of an erased person: that an address said no, in a form that tells no address.

A hash of (brand, channel, address) under a secret of its own. Phone numbers can be counted through,
so a hash without a secret would still be the number; and whoever has the database has not the key.

A hash cannot be made anew under another key, as nobody knows the address any more. So keys are only
ever added: the last one hashes, and all of them are looked under.
"""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Sequence
from uuid import UUID

_LEAST = 32
_MARK = b"permesso/suppression key/1"
"""What no address is spelled like: those begin with the 16 bytes of a brand's id."""


class Suppressor:
    """Names addresses without telling them."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take secrets of 32 bytes or more in base64, the newest last; ValueError for others."""
        if not keys:
            raise ValueError("CONSENT_SUPPRESSION_KEY must have a key")
        self._keys = [_key(each) for each in keys]

    def hash(self, brand_id: UUID, channel: str, address: str) -> bytes:
        """Return the 32 bytes that stand for an address from now on: under the newest key."""
        return _hash(self._keys[-1], brand_id, channel, address)

    def hashes(self, brand_id: UUID, channel: str, address: str) -> list[bytes]:
        """Return all that may stand for an address: what was kept under older keys too."""
        return [_hash(key, brand_id, channel, address) for key in self._keys]

    @property
    def marks(self) -> list[bytes]:
        """What the keys are known by, in their order; no key follows from it."""
        return [hmac.digest(key, _MARK, "sha256")[:16] for key in self._keys]


def _hash(key: bytes, brand_id: UUID, channel: str, address: str) -> bytes:
    # No channel's name has a NUL, so no two addresses are spelled alike here.
    spelled = brand_id.bytes + channel.encode() + b"\0" + address.encode()
    return hmac.digest(key, spelled, "sha256")


def _key(text: str) -> bytes:
    try:
        padded = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
        key = b64decode(padded, validate=True)
    except binascii.Error as error:
        raise ValueError("CONSENT_SUPPRESSION_KEY must be base64") from error
    if len(key) < _LEAST:
        raise ValueError(f"CONSENT_SUPPRESSION_KEY must have {_LEAST} bytes or more")
    return key
