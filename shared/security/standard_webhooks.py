"""Signing and believing webhooks and callbacks as Standard Webhooks 1.0 says: v1, HMAC-SHA256.

    webhook-id         names the message, the same for every try
    webhook-timestamp  seconds since 1970, of this try
    webhook-signature  v1,BASE64 of HMAC over "id.timestamp.body"; one for each secret, by spaces

While a secret is being replaced, sign with the new and the old one: the receiver needs one match.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import binascii
import hashlib
import hmac
import secrets as chance
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

PREFIX = "whsec_"
TOLERANCE = timedelta(minutes=5)
_LARGEST_TIMESTAMP = 2**40


class WrongSignature(Exception):
    """The message does not prove its origin; `code` says why, and holds nothing of it."""

    def __init__(self, code: str) -> None:
        """Name the reason by a stable `code`."""
        super().__init__(code)
        self.code = code


def new_secret() -> str:
    """Make a secret of 32 random bytes, in the spelling that every library reads."""
    return spell(chance.token_bytes(32))


def spell(key: bytes) -> str:
    """Write a key as a secret."""
    return PREFIX + b64encode(key).decode("ascii")


def read_secret(secret: str) -> bytes:
    """Return the key that a secret stands for; raise ValueError unless it has 24 to 64 bytes."""
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("a secret is whsec_ and then base64") from error
    if not 24 <= len(key) <= 64:
        raise ValueError("a secret has 24 to 64 bytes")
    return key


def sign(keys: Iterable[bytes], *, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers. A "." in the id would make two messages sign alike: ValueError."""
    _check_id(message_id)
    seconds = int(at.timestamp())
    content = _content(message_id, str(seconds), body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{_signature(key, content)}" for key in keys),
    }


class HeadersOf:
    """The headers of what is signed with one key, as lines of a request.

    For those who sign thousands a second: the key is prepared, and nothing is put into a mapping.
    """

    def __init__(self, key: bytes) -> None:
        """Prepare the key."""
        self._keyed = hmac.new(key, digestmod=hashlib.sha256)

    def lines(self, *, message_id: str, at: datetime, body: bytes) -> bytes:
        """Return the three headers, each with its CRLF. ValueError as from `sign`."""
        _check_id(message_id)
        name, stamp = message_id.encode(), b"%d" % int(at.timestamp())
        mac = self._keyed.copy()
        mac.update(b"%b.%b.%b" % (name, stamp, body))
        signature = binascii.b2a_base64(mac.digest(), newline=False)
        return b"webhook-id: %b\r\nwebhook-timestamp: %b\r\nwebhook-signature: v1,%b\r\n" % (
            name,
            stamp,
            signature,
        )


def _check_id(message_id: str) -> None:
    if "." in message_id or not message_id.isascii() or not message_id.isprintable():
        raise ValueError("an id is printable ASCII without a dot")


def verify(
    keys: Iterable[bytes],
    *,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    tolerance: timedelta = TOLERANCE,
) -> str:
    """Return the id of a message signed with one of the keys; names of headers in lower case.

    Raise `WrongSignature` for all else, a clock more than `tolerance` apart included.
    """
    message_id = headers.get("webhook-id", "")
    stamp = headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "")
    if not (message_id and stamp and given):
        raise WrongSignature("header_missing")
    _check_time(stamp, now, tolerance)
    content = _content(message_id, stamp, body)
    candidates = [s.removeprefix("v1,") for s in given.split(" ") if s.startswith("v1,")]
    matched = False
    for key in keys:
        expected = _signature(key, content).encode()
        for candidate in candidates:
            matched |= hmac.compare_digest(expected, candidate.encode("utf-8", "surrogatepass"))
    if not matched:
        raise WrongSignature("signature_wrong")
    return message_id


def _check_time(stamp: str, now: datetime, tolerance: timedelta) -> None:
    if not (stamp.isascii() and stamp.isdigit()) or len(stamp) > 13:
        raise WrongSignature("timestamp_malformed")
    seconds = int(stamp)
    if seconds > _LARGEST_TIMESTAMP or abs(now.timestamp() - seconds) > tolerance.total_seconds():
        raise WrongSignature("timestamp_far")


def _content(message_id: str, stamp: str, body: bytes) -> bytes:
    return b"%b.%b.%b" % (message_id.encode("utf-8", "surrogatepass"), stamp.encode(), body)


def _signature(key: bytes, content: bytes) -> str:
    return b64encode(hmac.digest(key, content, hashlib.sha256)).decode("ascii")
