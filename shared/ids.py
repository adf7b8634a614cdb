"""Ids: UUIDv7 (RFC 9562), sorted by the time they were made; and ids that follow from other ids."""

import os
import time
from uuid import NAMESPACE_OID, UUID, uuid5

_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62


def new_id() -> UUID:
    """Make a UUIDv7: 48 bits of milliseconds, 74 bits of chance."""
    milliseconds = time.time_ns() // 1_000_000
    chance = int.from_bytes(os.urandom(10))
    head = (milliseconds & ((1 << 48) - 1)) << 80
    return UUID(
        int=head | _VERSION | ((chance >> 68) & 0xFFF) << 64 | _VARIANT | (chance & ((1 << 62) - 1))
    )


def derived_id(source: UUID, name: str) -> UUID:
    """Return the one id that follows from `source` and `name`: a repeat makes the same again."""
    return uuid5(NAMESPACE_OID, f"{source}/{name}")
