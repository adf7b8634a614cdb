"""The personal half of a line of the ledger, as it is stored."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Half:
    """The personal half as it is stored, and what the log says of it."""

    sealed: bytes
    commitment: bytes
    """SHA-256 of what was sealed. Its salt is in there too, and is lost with the key."""
