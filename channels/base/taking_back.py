"""Taking back what was sent: what a platform allows, what is asked of it, what became of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol, runtime_checkable
from uuid import UUID

from shared.contracts.stories import Part


@dataclass(frozen=True)
class TakeBack:
    """What a platform lets us do with messages that it took."""

    delete_within: timedelta | None = None
    """From sending; none: a message can be deleted at any age."""
    replaces: bool = False
    """What is too old to be deleted gets other words, and loses its buttons."""
    beside: float = 1.0
    """Calls a second that there is room for while the account sends at its pace."""


@dataclass(frozen=True, slots=True)
class SentPart:
    """One part of a message as the platform took it."""

    part: Part
    platform_ids: tuple[str, ...]
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Recall:
    """One message that is to leave a chat, or to say that it is over."""

    message_id: UUID
    address: str
    parts: tuple[SentPart, ...]
    tombstone: str
    """The words that stand where something cannot be deleted, in the message's language."""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What became of a message: the worst that became of any of its parts."""

    outcome: Literal["deleted", "replaced", "kept"]
    reason: str | None = None
    """Why it was kept, as a stable code."""


Turn = Callable[[], Awaitable[None]]
"""Waits until one more call may be made; awaited before each."""


@runtime_checkable
class TakesBack(Protocol):
    """A sender of a channel with `Capabilities.take_back`."""

    async def take_back(self, recall: Recall, turn: Turn) -> TakenBack:
        """Take a message back, or raise a `SendError` that says why nothing is known of it.

        It may be repeated: what is gone already counts as deleted.
        """
        ...
