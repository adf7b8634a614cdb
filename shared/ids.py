"""Ids: UUIDv7 (RFC 9562), sorted by the time they were made; and ids that follow from other ids."""

import os
import time
from hashlib import blake2b
from uuid import NAMESPACE_OID, UUID, uuid5

from asyncpg.pgproto.pgproto import UUID as DriverUUID

_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62
_TIME = ((1 << 48) - 1) << 80


def new_id() -> UUID:
    """Make a UUIDv7: 48 bits of milliseconds, 74 bits of chance."""
    milliseconds = time.time_ns() // 1_000_000
    return _made((milliseconds << 80) & _TIME, os.urandom(10))


def derived_id(source: UUID, name: str) -> UUID:
    """Return the one id that follows from `source` and `name`: a repeat makes the same again.

    It is a UUIDv7 of the source's time with a hash for its chance, so that what follows from one
    cause lies together in an index. A source of another version tells no time: then a UUIDv5.
    """
    if source.version != 7:
        return uuid5(NAMESPACE_OID, f"{source}/{name}")
    chance = blake2b(source.bytes + name.encode(), digest_size=10, person=b"permesso id")
    return _made(source.int & _TIME, chance.digest())


def _made(time_bits: int, chance: bytes) -> UUID:
    bits = int.from_bytes(chance)
    made = time_bits | _VERSION | ((bits >> 68) & 0xFFF) << 64 | _VARIANT | (bits & ((1 << 62) - 1))
    # The driver's own kind of UUID: it is made, written and compared in a fraction of the time.
    made_by_driver: UUID = DriverUUID(made.to_bytes(16))
    return made_by_driver
