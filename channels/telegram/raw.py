"""Fields of an update, none of them taken on trust: what is not as expected is not there."""

from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

Object = dict[str, object]


def read_body(body: bytes) -> Object | None:
    """Return the object that a body is; none for anything else."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return told if isinstance(told, dict) else None


def read_object(value: object) -> Object:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def read_string(value: object) -> str | None:
    """Return a string without NUL, which PostgreSQL cannot keep."""
    return value.replace("\x00", "") if isinstance(value, str) else None


def read_integer(value: object) -> int | None:
    """Return a number that fits into 63 bits; a bool is none."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    return None


def read_id(value: object) -> str | None:
    """Return an id as addresses are spelled; Telegram's have at most 52 bits."""
    number = read_integer(value)
    return None if number is None or abs(number) >= 10**16 else str(number)


def read_address(holder: object) -> str | None:
    """Return the id of a chat or a user."""
    return read_id(holder.get("id")) if isinstance(holder, Mapping) else None


def read_time(holder: Object, received_at: datetime) -> datetime:
    """Return when it happened; an inaccessible message has date 0, some updates have none."""
    seconds = read_integer(holder.get("date"))
    if seconds is None or not 0 < seconds < 2**35:
        return received_at
    return datetime.fromtimestamp(seconds, UTC)
