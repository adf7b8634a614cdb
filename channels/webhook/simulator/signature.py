"""Standard Webhooks signatures, by code of its own, so that it can prove the sender's wrong."""

import base64
import hashlib
import hmac
import time

from starlette.types import Scope

from channels.base.simulator.requests import header

TOLERANCE_SECONDS = 300
PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """Return the key of a secret; raise ValueError when it is not base64."""
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def secret_of(key: bytes) -> str:
    """Return the secret that stands for a key."""
    return PREFIX + base64.b64encode(key).decode()


def signed(scope: Scope, body: bytes, key: bytes) -> bool:
    """Tell whether a request is signed with this key and not old."""
    webhook_id = header(scope, b"webhook-id").decode("latin-1")
    stamp = header(scope, b"webhook-timestamp").decode("latin-1")
    if not webhook_id or not stamp.isdigit() or abs(time.time() - int(stamp)) > TOLERANCE_SECONDS:
        return False
    expected = f"v1,{signature(key, webhook_id, stamp, body)}".encode()
    given = header(scope, b"webhook-signature").split(b" ")
    return any(hmac.compare_digest(expected, candidate) for candidate in given)


def signature(key: bytes, webhook_id: str, stamp: str, body: bytes) -> str:
    """Return the signature of a body under a key, as the header has it after `v1,`."""
    signed = b".".join((webhook_id.encode(), stamp.encode(), body))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
