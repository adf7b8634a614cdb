"""What a consent event is in the log: its canonical bytes, version 1.

The bytes are JSON as RFC 8785 writes it: keys in order, no spaces, UTF-8, nothing escaped that need
not be. Values are texts, whole numbers, lists of texts and null, so there is one way to write them.

Nothing here is about the person. Who it was, where, and how they said it is the sealed half, and
the entry holds two commitments to it:

* `sealed`      SHA-256 of the stored ciphertext: shows that it is still the one of then;
* `commitment`  SHA-256 of what was sealed, 32 random bytes among it: whoever is shown it can check
                it, and whoever is not can guess nothing, phone numbers included.

Destroy the key of a sealed half and both say nothing any more, while the log still verifies.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

VERSION = 1

_AS_THEY_ARE = (
    "seq",
    "action",
    "channel",
    "purpose",
    "scope",
    "held_scope",
    "purposes",
    "outcome",
    "reason",
)
_IDS = ("brand_id", "id", "account_id")
_TIMES = ("platform_at", "recorded_at", "expires_at")

COLUMNS = (*_IDS, *_AS_THEY_ARE, *_TIMES, "sealed", "commitment")
"""What has to be known of an event."""


def entry(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the log says of an event, given its `COLUMNS`."""
    return {
        "v": VERSION,
        **{name: event[name] for name in _AS_THEY_ARE},
        **{name: str(event[name]) for name in _IDS},
        **{name: _zulu(event[name]) for name in _TIMES},
        "sealed": sha256(event["sealed"]).hexdigest(),
        "commitment": None if event["commitment"] is None else event["commitment"].hex(),
    }


def document_hash(value: Any) -> str:
    """Return the SHA-256 of a JSON value's one spelling, in hex; 1.0 is spelled 1 in it."""
    return sha256(canonical(_plain(value))).hexdigest()


def canonical(value: Any) -> bytes:
    """Return the one spelling of a value."""
    return json.dumps(
        value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    ).encode()


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def _zulu(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    # What the driver makes of `-infinity` and `infinity` has no zone, and a local one does not fit.
    told = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{told:%Y-%m-%dT%H:%M:%S.%f}Z"
