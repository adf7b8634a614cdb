"""What is kept of an erased person: that an address said no, in a form that tells no address.

A hash of (brand, channel, address) under a secret of its own. Phone numbers can be counted through,
so a hash without a secret would still be the number; and whoever has the database has not the key.
"""

import binascii
import hmac
from base64 import b64decode
from uuid import UUID

_LEAST = 32


class Suppressor:
    """Names addresses without telling them."""

    def __init__(self, key: str) -> None:
        """Take a secret of 32 bytes or more in base64; ValueError for what is none."""
        try:
            padded = key.replace("-", "+").replace("_", "/") + "=" * (-len(key) % 4)
            self._key = b64decode(padded, validate=True)
        except binascii.Error as error:
            raise ValueError("CONSENT_SUPPRESSION_KEY must be base64") from error
        if len(self._key) < _LEAST:
            raise ValueError(f"CONSENT_SUPPRESSION_KEY must have {_LEAST} bytes or more")

    def hash(self, brand_id: UUID, channel: str, address: str) -> bytes:
        """Return the 32 bytes that stand for an address of a brand's channel."""
        # No channel's name has a NUL, so no two addresses are spelled alike here.
        spelled = brand_id.bytes + channel.encode() + b"\0" + address.encode()
        return hmac.digest(self._key, spelled, "sha256")
