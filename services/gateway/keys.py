"""API keys: made, shown once, and recognised again by a digest.

    pmso_live_<key id>_<secret>_<checksum>

The prefix is for programs that look for leaked secrets, the checksum (CRC-32) tells a typing error
without a question to the database. Id and secret are base62. The secret has 256 bits of chance, so
one HMAC is enough: there is nothing to guess that a slow hash would have to protect.
"""

import hmac
import secrets
import zlib
from dataclasses import dataclass
from uuid import UUID

PREFIX = "pmso_live_"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 22
_SECRET_LENGTH = 43
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}


@dataclass(frozen=True, slots=True)
class Presented:
    """A key as somebody shows it: well formed, not yet believed."""

    id: UUID
    secret: str


def make(key_id: UUID) -> tuple[str, str]:
    """Return a new key of this id as it is shown, and its secret alone."""
    secret = _base62(int.from_bytes(secrets.token_bytes(32)), _SECRET_LENGTH)
    body = f"{PREFIX}{_base62(key_id.int, _ID_LENGTH)}_{secret}"
    return f"{body}_{_checksum(body)}", secret


def read(text: str) -> Presented | None:
    """Return what a key says of itself, or none when it cannot be one of ours."""
    body, _, checksum = text.rpartition("_")
    parts = body.removeprefix(PREFIX).split("_")
    if not body.startswith(PREFIX) or len(parts) != 2 or _checksum(body) != checksum:
        return None
    number = _number(parts[0])
    if number is None or len(parts[0]) != _ID_LENGTH or number >= 1 << 128:
        return None
    return Presented(UUID(int=number), parts[1])


def digest(secret: str, pepper: bytes) -> bytes:
    """Return what is stored of a secret."""
    return hmac.digest(pepper, secret.encode(), "sha256")


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _number(text: str) -> int | None:
    number = 0
    for digit in text:
        value = _VALUES.get(digit)
        if value is None:
            return None
        number = number * 62 + value
    return number


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
