"""Receipts: what a person said, as a signed document that they can keep and anybody can check.

A receipt is a JWS in its compact form (RFC 7515) with an Ed25519 signature (RFC 8037), under the
key of the brand's log:

    base64url(header) . base64url(receipt) . base64url(signature)

The header is `{"alg":"EdDSA","kid":<the log's name>,"typ":"consent-receipt+jws"}`; the receipt is
JSON in the one spelling of `entries.canonical`. The log signs texts with line ends, and a JWS has
none, so neither signature can be taken for the other.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.ledger.entries import canonical
from shared.ledger.notes import NoteKey, NoteSigner

TYPE = "consent-receipt+jws"
LONGEST = 64 * 1024
"""Characters of a receipt; nobody has to read more."""


class ReceiptRefused(Exception):
    """It is no receipt, or nobody whom we trust has signed it; the text says which."""


def sign(receipt: Mapping[str, Any], signer: NoteSigner) -> str:
    """Return the receipt as a JWS."""
    head = {"alg": "EdDSA", "kid": signer.key.name, "typ": TYPE}
    signed = f"{_spelled(canonical(head))}.{_spelled(canonical(receipt))}"
    return f"{signed}.{_spelled(signer.sign_bytes(signed.encode()))}"


def open_receipt(text: str, keys: Iterable[NoteKey]) -> dict[str, Any]:
    """Return what one of the keys has signed, or raise `ReceiptRefused`."""
    parts = text.strip().split(".")
    if len(parts) != 3 or len(text) > LONGEST:
        raise ReceiptRefused("this is no receipt: it has three parts with a full stop between them")
    head, body, signature = (_read(part) for part in parts)
    told = _json(head)
    known = [key for key in keys if key.name == told.get("kid")]
    if (told.get("alg"), told.get("typ")) != ("EdDSA", TYPE):
        raise ReceiptRefused("this is another kind of document")
    if not known:
        raise ReceiptRefused(f"it is signed by {told.get('kid')!r}, whose key was not given")
    signed = f"{parts[0]}.{parts[1]}".encode()
    if not any(_signed_by(key, signed, signature) for key in known):
        raise ReceiptRefused("the signature is not of this text: it was changed, or never signed")
    return _json(body)


def _signed_by(key: NoteKey, signed: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _spelled(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _read(part: str) -> bytes:
    try:
        raw = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (NotBase64, ValueError) as error:
        raise ReceiptRefused("a part of it is not base64url") from error
    # Base64 may hide a few bits that nobody reads: there is one spelling, and no other.
    if _spelled(raw) != part:
        raise ReceiptRefused("a part of it is not base64url as it is written")
    return raw


def _json(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise ReceiptRefused("a part of it is not JSON") from error
    if not isinstance(value, dict):
        raise ReceiptRefused("a part of it is not an object")
    return value
