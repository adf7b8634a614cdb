"""Seal secrets that are stored: a key of its own for each value, under a key that operators hold.

    1 byte version | 1 byte length | key id | 12 nonce | 48 wrapped key | 12 nonce | ciphertext, tag

Everything is AES-256-GCM. The context ("brand|table|column|row id") is authenticated with both, so
a sealed value that is moved to another row or another brand cannot be opened there.
"""

import base64
import os
from collections.abc import Mapping
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = 1
_NONCE = 12
_KEY = 32
_WRAPPED = _KEY + 16


class SealBroken(Exception):
    """The value was changed, or belongs to another context, or its key is not known here."""


class Sealer:
    """Seals with the current key and opens with any of the keys."""

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        """Take keys of 32 bytes by key id; ids are at most 255 bytes of UTF-8."""
        for name, key in keys.items():
            if len(key) != _KEY or not 0 < len(name.encode()) < 256:
                raise ValueError(f"sealing key {name!r} must have {_KEY} bytes and a short name")
        if current not in keys:
            raise ValueError(f"there is no sealing key {current!r}")
        self._keys = {name: AESGCM(key) for name, key in keys.items()}
        self._current = current

    @classmethod
    def from_base64(cls, keys: Mapping[str, str]) -> Self:
        """Take keys as settings hold them (key id → base64); the last one is the current one."""
        if not keys:
            raise ValueError("there must be at least one sealing key")
        decoded = {
            name: base64.b64decode(_padded(key), altchars=b"-_") for name, key in keys.items()
        }
        return cls(decoded, current=list(keys)[-1])

    def seal(self, plaintext: bytes, *, context: str) -> bytes:
        """Return `plaintext` sealed for `context` alone."""
        key = os.urandom(_KEY)
        nonce = os.urandom(_NONCE)
        ciphertext = AESGCM(key).encrypt(nonce, plaintext, context.encode())
        return self._wrap(key, context) + nonce + ciphertext

    def open(self, blob: bytes, *, context: str) -> bytes:
        """Return the plaintext, or raise `SealBroken`."""
        key, rest = self._unwrap(blob, context)
        try:
            return AESGCM(key).decrypt(rest[:_NONCE], rest[_NONCE:], context.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken("sealed value cannot be opened") from error

    def rewrap(self, blob: bytes, *, context: str) -> bytes:
        """Return the same value under the current key; what is sealed is not touched."""
        key, rest = self._unwrap(blob, context)
        return self._wrap(key, context) + rest

    def is_current(self, blob: bytes) -> bool:
        """Say whether a value is under the current key."""
        return self.key_id(blob) == self._current

    @staticmethod
    def key_id(blob: bytes) -> str:
        """Say which key a value is under, so that one can find what a retired key still holds."""
        try:
            return blob[2 : 2 + blob[1]].decode()
        except (IndexError, UnicodeDecodeError) as error:
            raise SealBroken("sealed value cannot be read") from error

    def _wrap(self, key: bytes, context: str) -> bytes:
        name = self._current.encode()
        nonce = os.urandom(_NONCE)
        head = bytes((_VERSION, len(name))) + name
        return head + nonce + self._keys[self._current].encrypt(nonce, key, head + context.encode())

    def _unwrap(self, blob: bytes, context: str) -> tuple[bytes, bytes]:
        name = self.key_id(blob)
        if blob[0] != _VERSION or name not in self._keys:
            raise SealBroken(f"sealing key {name!r} is not known")
        start = 2 + blob[1]
        nonce = blob[start : start + _NONCE]
        end = start + _NONCE + _WRAPPED
        wrapped = blob[start + _NONCE : end]
        try:
            key = self._keys[name].decrypt(nonce, wrapped, blob[:start] + context.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken("sealed value cannot be opened") from error
        return key, blob[end:]


def _padded(text: str) -> str:
    """Complete base64 that was written without its padding, in either alphabet."""
    return text.replace("+", "-").replace("/", "_") + "=" * (-len(text) % 4)
