"""A brand's signed log on the wire: heads and proofs, in base64 as C2SP writes hashes."""

from datetime import datetime
from uuid import UUID

from shared.contracts.base import Contract


class LogCheckpoint(Contract):
    """The head of a brand's log at one size, signed."""

    size: int
    """How many events."""
    root: str
    at: datetime
    note: str
    """The signed text (C2SP tlog-checkpoint): what to keep, and to compare with others."""
    key: str
    """The key of today as `name+id+key` (C2SP signed-note). Believe one that came another way."""


class LogEntry(Contract):
    """An event as the log has it."""

    number: int
    """Its place, from 0."""
    event_id: UUID
    leaf: str
    """SHA-256 of a zero byte and `entry` as RFC 8785 writes it."""
    entry: dict[str, object] | None
    """Nothing of the person, but two commitments: docs/ledger.md. None if somebody deleted it."""


class LogEntries(Contract):
    """Events of the log in its order; go on with `from=<next>`."""

    items: tuple[LogEntry, ...]
    next: int | None = None


class LogProof(Contract):
    """That an event is in the log: `path` leads from its leaf to the checkpoint's root."""

    entry: LogEntry
    path: tuple[str, ...]
    checkpoint: LogCheckpoint


class LogConsistency(Contract):
    """That the log of `to_size` events begins with the one of `from_size` (RFC 9162, 2.1.4)."""

    from_size: int
    to_size: int
    path: tuple[str, ...]
