"""What a brand's own system tells us, in the words of this channel.

    {"type": "wrote",     "address": "…", "text": "…", "id": "…", "at": "2026-11-22T10:00:00Z"}
    {"type": "started",   "address": "…", "payload": "…"}
    {"type": "tapped",    "address": "…", "data": "…"}
    {"type": "blocked",   "address": "…"}
    {"type": "unblocked", "address": "…"}
    {"type": "opted_out", "address": "…", "signal": "…"}
    {"type": "opted_in",  "address": "…", "signal": "…", "wording": "…"}
    {"type": "left",      "address": "…", "signal": "…"}
    {"type": "moved",     "address": "…", "new_address": "…"}
    {"type": "receipt",   "id": "msg_…", "status": "delivered"}

`at`, `language` and `name` may be left out everywhere; so may `signal`, which names what the person
did where it was done (`unsubscribe_link`), and `wording`. Fields that nobody knows are passed over.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, TypedDict

import orjson

from channels.base.webhook import Stamp, WebhookRequest
from channels.webhook.addresses import normalise
from shared.contracts.inbound import (
    AddressMoved,
    InboundEvent,
    NotUnderstood,
    PersonBlocked,
    PersonLeft,
    PersonOptedIn,
    PersonOptedOut,
    PersonStarted,
    PersonTapped,
    PersonUnblocked,
    PersonWrote,
    ReceiptCame,
)

_KEY = "event"
_Object = dict[str, object]


class _Person(TypedDict):
    key: str
    at: datetime
    address: str
    language: str | None
    name: str | None


def stamp(request: WebhookRequest) -> Stamp:
    """Name the request by its webhook-id, and the conversation by its address."""
    digest = hashlib.sha256(request.body).hexdigest()
    address = _address(_load(request.body), "address")
    return Stamp(
        dedupe=_clean(request.headers.get("webhook-id", ""))[:256] or digest,
        person=address or digest,
    )


def parse(request: WebhookRequest) -> list[InboundEvent]:
    """Turn the request into the one event it stands for."""
    told = _load(request.body)
    kind = _string(told, "type") or "malformed"
    at = _time(told, request.received_at)
    reader = _READERS.get(kind)
    event = reader(told, at, request) if reader else None
    return [event or NotUnderstood(key=_KEY, at=at, kind=kind[:100])]


def _wrote(told: _Object, at: datetime, request: WebhookRequest) -> InboundEvent | None:
    person, text = _person(told, at), _string(told, "text")
    kind = _string(told, "kind") or "text"
    if person is None or (text is None and kind == "text"):
        return None
    # Without an id of its own, a message is known by the request that brought it.
    platform_id = _string(told, "id") or stamp(request).dedupe
    return PersonWrote(
        text=text,
        kind=kind[:100],
        platform_id=platform_id[:256],
        reply_to=_string(told, "reply_to"),
        **person,
    )


def _started(told: _Object, at: datetime, request: WebhookRequest) -> InboundEvent | None:
    person = _person(told, at)
    if person is None:
        return None
    return PersonStarted(
        payload=_string(told, "payload") or None, platform_id=_string(told, "id"), **person
    )


def _tapped(told: _Object, at: datetime, request: WebhookRequest) -> InboundEvent | None:
    person, data = _person(told, at), _string(told, "data")
    if person is None or data is None:
        return None
    return PersonTapped(data=data, platform_id=_string(told, "id"), **person)


def _blocked(told: _Object, at: datetime, request: WebhookRequest) -> InboundEvent | None:
    person = _person(told, at)
    return PersonBlocked(**person) if person else None


def _unblocked(told: _Object, at: datetime, request: WebhookRequest) -> InboundEvent | None:
    person = _person(told, at)
    return PersonUnblocked(**person) if person else None


def _opted_out(told: _Object, at: datetime, request: WebhookRequest) -> InboundEvent | None:
    person = _person(told, at)
    return PersonOptedOut(signal=_signal(told), **person) if person else None


def _opted_in(told: _Object, at: datetime, request: WebhookRequest) -> InboundEvent | None:
    person = _person(told, at)
    if person is None:
        return None
    return PersonOptedIn(signal=_signal(told), wording=_string(told, "wording"), **person)


def _left(told: _Object, at: datetime, request: WebhookRequest) -> InboundEvent | None:
    person = _person(told, at)
    return PersonLeft(signal=_signal(told), **person) if person else None


def _signal(told: _Object) -> str:
    """Return what the brand's system calls it, else what we do."""
    return (_string(told, "signal") or _string(told, "type") or "")[:200]


def _moved(told: _Object, at: datetime, request: WebhookRequest) -> InboundEvent | None:
    address, new_address = _address(told, "address"), _address(told, "new_address")
    if address is None or new_address is None:
        return None
    return AddressMoved(key=_KEY, at=at, address=address, new_address=new_address)


def _receipt(told: _Object, at: datetime, request: WebhookRequest) -> InboundEvent | None:
    platform_id, code = _string(told, "id"), _string(told, "code")
    status = _STATUSES.get(_string(told, "status") or "")
    if platform_id is None or status is None:
        return None
    return ReceiptCame(key=_KEY, at=at, platform_id=platform_id[:256], status=status, code=code)


_STATUSES: dict[str, Literal["sent", "delivered", "read", "refused"]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "refused": "refused",
}
_READERS: dict[str, Callable[[_Object, datetime, WebhookRequest], InboundEvent | None]] = {
    "wrote": _wrote,
    "started": _started,
    "tapped": _tapped,
    "blocked": _blocked,
    "unblocked": _unblocked,
    "opted_out": _opted_out,
    "opted_in": _opted_in,
    "left": _left,
    "moved": _moved,
    "receipt": _receipt,
}


def _person(told: _Object, at: datetime) -> _Person | None:
    address = _address(told, "address")
    if address is None:
        return None
    language, name = _string(told, "language"), _string(told, "name")
    return {
        "key": _KEY,
        "at": at,
        "address": address,
        "language": language[:35] if language else None,
        "name": name[:200] if name else None,
    }


def _load(body: bytes) -> _Object:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _address(told: _Object, field: str) -> str | None:
    spelled = told.get(field)
    try:
        return normalise(spelled) if isinstance(spelled, str) else None
    except ValueError:
        return None


def _string(told: _Object, field: str) -> str | None:
    value = told.get(field)
    return _clean(value) if isinstance(value, str) else None


def _clean(text: str) -> str:
    """Return the text without NUL, which PostgreSQL cannot keep."""
    return text.replace("\x00", "")


def _time(told: _Object, received_at: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(_string(told, "at") or "")
        return received_at if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return received_at
