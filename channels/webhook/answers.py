"""What a brand's system may answer to a message, and what each answer means.

2xx                                  taken
4xx {"code": "opted_out"}            the person said no
4xx {"code": "unreachable"}          the person is not here
4xx {"code": "moved", "address": …}  the person is at another address now
4xx {"code": "bad_content"}          this story is for nobody
401, 403, 404, 405, 410              the account is broken: our signature, the URL, the system
413, 415, 422                        this story is for nobody
408, 425, 429, 503                   not now; 429 and 503 with Retry-After say until when
3xx                                  the account is broken: the URL is another one now
5xx, no whole answer                 nobody knows; sent again under the same webhook-id
other 4xx                            refused
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import orjson

from channels.base.outcomes import (
    AccountBroken,
    BadContent,
    Moved,
    OptedOut,
    OutcomeUnknown,
    Refused,
    SendError,
    Throttled,
    TryAgain,
    Unreachable,
)
from channels.webhook.addresses import normalise

DEFAULT_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(days=1)

_ABOUT_THE_PERSON: Mapping[str, type[SendError]] = {
    "opted_out": OptedOut,
    "unreachable": Unreachable,
    "bad_content": BadContent,
}
_STATUSES: Mapping[int, tuple[type[SendError], str]] = {
    401: (AccountBroken, "not_authorised"),
    403: (AccountBroken, "not_authorised"),
    404: (AccountBroken, "not_found"),
    405: (AccountBroken, "method_not_allowed"),
    408: (TryAgain, "request_timeout"),
    410: (AccountBroken, "gone"),
    413: (BadContent, "too_large"),
    415: (BadContent, "not_understood"),
    422: (BadContent, "not_understood"),
    425: (TryAgain, "too_early"),
}


def refusal(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> SendError:
    """Return what an answer that is not 2xx means."""
    wait = _wait(headers.get("retry-after"), now)
    if status == 429 or (status == 503 and wait is not None):
        return Throttled("rate_limited", after=wait or DEFAULT_WAIT)
    if status >= 500:
        return OutcomeUnknown("platform_error", f"status {status}")
    if status < 400:
        return AccountBroken("redirected", f"status {status}")
    told = _read(body)
    code, address = told.get("code"), told.get("address")
    if code == "moved" and isinstance(address, str):
        return _moved(address)
    if isinstance(code, str) and code in _ABOUT_THE_PERSON:
        return _ABOUT_THE_PERSON[code](code)
    kind, meaning = _STATUSES.get(status, (Refused, "refused"))
    return kind(meaning, f"status {status}")


def _moved(address: str) -> SendError:
    try:
        return Moved("moved", new_address=normalise(address))
    except ValueError:
        return Unreachable("moved", "the new address is malformed")


def _read(body: bytes) -> dict[str, object]:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _wait(header: str | None, now: datetime) -> timedelta | None:
    """Return what Retry-After asks for, in seconds or as a date; a day at most."""
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return min(timedelta(seconds=int(header[:9])), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    return min(max(wait, timedelta(0)), LONGEST_WAIT)
