"""One message to one person: what it says, where it is, and what became of its attempts."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Contract
from shared.contracts.consent import Address, AnyPurpose, Purpose
from shared.contracts.stories import Button, Choice


class MessageStatus(StrEnum):
    """Where a message is."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    PARTIAL = "partial"
    CANCELLED = "cancelled"
    WITHHELD = "withheld"


class Attempt(Contract):
    """One try at one part."""

    id: UUID
    part: int
    started_at: datetime
    settled_at: datetime
    outcome: str
    """`sent`, `refused`, `again`, `throttled`, `too_late`, `broken` or `unknown`."""
    code: str | None = None
    platform_ids: tuple[str, ...] = ()


class Receipt(Contract):
    """The platform's later word."""

    platform_id: str
    status: str
    at: datetime
    code: str | None = None


class Message(Contract):
    """A campaign, a service message or a reply for one person on one account."""

    id: UUID
    campaign_id: UUID | None
    variant: str | None = None
    """Which of the campaign's stories it tells, where there are several."""
    test_of: UUID | None = None
    """The campaign that this was a test of; no campaign counts it."""
    account_id: UUID
    person_id: UUID | None
    """None where nobody is known at the address, or the person was erased."""
    address: Address | None
    """None where the person was erased."""
    purpose: AnyPurpose
    status: MessageStatus
    reason: str | None = None
    """Why it ended so; of a queued one, what it waits for: `due_at` says until when."""
    parts: int
    parts_sent: int
    due_at: datetime
    created_at: datetime
    updated_at: datetime
    consent_event_id: UUID | None = None
    attempts: tuple[Attempt, ...] = ()
    receipts: tuple[Receipt, ...] = ()


class Content(Contract):
    """What one message says: words with at most a picture and a button, or a story."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=32_768)] | None = None
    media_id: UUID | None = None
    button: Button | None = None
    story_id: UUID | None = None

    @model_validator(mode="after")
    def _something(self) -> "Content":
        if (self.story_id is None) == (self.text is None and self.media_id is None):
            raise ValueError("give either a story_id, or a text or media_id")
        return self


class HouseContent(Content):
    """What the house itself says: also a question, with the answers to tap."""

    choices: Annotated[tuple[Choice, ...], Field(max_length=3)] = ()

    @model_validator(mode="after")
    def _below_words(self) -> "HouseContent":
        if self.choices and (self.text is None or self.media_id or self.button):
            raise ValueError("choices stand below words alone")
        return self


class MessageIn(Contract):
    """One message to one person."""

    account_id: UUID
    address: Address
    purpose: Purpose
    content: Content


class HouseMessage(Contract):
    """A message that the house itself queues; `id` follows from what caused it, so never twice."""

    id: UUID
    account_id: UUID
    address: Address
    purpose: AnyPurpose
    content: HouseContent
    person_id: UUID | None = None
    language: str | None = None


class ReceiptIn(Contract):
    """A receipt on its way from the inbox to its message."""

    id: UUID
    account_id: UUID
    platform_id: str
    status: Literal["sent", "delivered", "read", "refused"]
    at: datetime
    code: str | None = None
