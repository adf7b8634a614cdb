"""Stories, campaigns, messages and what became of them, on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Contract
from shared.contracts.consent import Address, AnyPurpose, AudienceFilter, Purpose
from shared.contracts.stories import Button, Choice, Finding, Frame, Language, Variant

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class Media(Contract):
    """A picture or a video that a brand uploaded; equal bytes get the same id within a brand."""

    id: UUID
    sha256: str
    kind: Literal["image", "video"]
    mime: str
    width: int
    height: int
    seconds: float | None = None
    codec: str | None = None
    sound: str | None = None
    bytes: int
    """Of what is kept, as `sha256` is: a picture upright, and nothing with metadata in it."""


class StoryIn(Contract):
    """A story as a brand writes it."""

    title: Name
    language: Language
    frames: Annotated[tuple[Frame, ...], Field(min_length=1, max_length=30)]
    variants: dict[Language, Variant] = {}
    expires_after: Annotated[int, Field(ge=60, le=31_536_000)] | None = None
    """Seconds after sending until the story ends."""


class StoryChange(Contract):
    """What may be changed of a story; what is left out stays."""

    title: Name | None = None
    language: Language | None = None
    frames: Annotated[tuple[Frame, ...], Field(min_length=1, max_length=30)] | None = None
    variants: dict[Language, Variant] | None = None
    expires_after: Annotated[int, Field(ge=60, le=31_536_000)] | None = None


class ChannelFinding(Finding):
    """A finding with the channel and the language it is about."""

    channel: str
    language: str


class Story(StoryIn):
    """A stored story, with what each channel would have to leave out."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    findings: tuple[ChannelFinding, ...] = ()


class AudienceIn(Contract):
    """Exactly one of the three."""

    everyone: Literal[True] | None = None
    tags: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)] | None = None
    addresses: Annotated[tuple[Address, ...], Field(min_length=1, max_length=100_000)] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "AudienceIn":
        given = [n for n in ("everyone", "tags", "addresses") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError("name exactly one of everyone, tags, addresses")
        return self

    def filter(self) -> AudienceFilter:
        """Return the same as the consent registry understands it."""
        return AudienceFilter(
            everyone=bool(self.everyone), tags=self.tags or (), addresses=self.addresses or ()
        )


class CampaignIn(Contract):
    """A story on its way to an audience, as a brand asks for it."""

    name: Name
    story_id: UUID
    purpose: Purpose = "marketing"
    account_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=100)]
    audience: AudienceIn
    send_at: datetime | None = None
    """Not before this moment; at once when left out."""
    recipient_local_time: bool = False
    """Read `send_at` as wall-clock time where each person lives."""
    deadline: datetime | None = None
    """What has not started by then is withheld as `too_late`."""


class CampaignStatus(StrEnum):
    """The life of a campaign."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Totals(Contract):
    """Each message once, in its furthest state; they add up to `accepted` at every moment."""

    accepted: int = 0
    queued: int = 0
    claimed: int = 0
    sending: int = 0
    sent: int = 0
    delivered: int = 0
    read: int = 0
    refused: int = 0
    unknown: int = 0
    partial: int = 0
    cancelled: int = 0
    withheld: dict[str, int] = {}


class Ending(Contract):
    """What became of a campaign's messages once its story was over, each counted once."""

    expires_after: int
    """Seconds after each message, as the story had it when the campaign was launched."""
    ended_at: datetime | None = None
    """Since then it is over for everybody."""
    waiting: int = 0
    """Listed, and not taken back yet; 0 before the first of them is over."""
    deleted: int = 0
    replaced: int = 0
    """Too old to be deleted: it says that it is over, and has no buttons any more."""
    kept: dict[str, int] = {}
    """Nothing could be done, by reason."""


class Campaign(CampaignIn):
    """A stored campaign."""

    id: UUID
    status: CampaignStatus
    status_reason: str | None = None
    created_at: datetime
    launched_at: datetime | None = None
    finished_at: datetime | None = None
    expanded: bool = False
    """Everybody of the audience has been looked at."""
    totals: Totals
    ending: Ending | None = None
    """None where the story does not end."""
    excluded: dict[str, int] = {}
    """People of `everyone` or `tags` who may not be written to, by reason: they got no message."""


class Preflight(Contract):
    """What a launch would do now."""

    eligible: int
    excluded: dict[str, int]
    deferred: dict[str, int] = {}
    """How many of the eligible would have to wait if it began now, by reason."""
    expected_finish_at: datetime | None
    findings: tuple[ChannelFinding, ...]


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
    account_id: UUID
    person_id: UUID | None
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


class HaltTarget(Contract):
    """One key that must fall silent. `marketing` stands for its topics too."""

    account_id: UUID
    address: Address
    purposes: tuple[str, ...]


class Halt(Contract):
    """Stop everything for these keys that was made before ledger sequence `seq`."""

    brand_id: UUID
    seq: int
    targets: Annotated[tuple[HaltTarget, ...], Field(max_length=1_000)]
    wait_seconds: Annotated[float, Field(ge=0, le=30)] = 6.0


class Halted(Contract):
    """How many were cancelled, and whether all that was in flight has settled."""

    cancelled: int
    settled: bool


class ReceiptIn(Contract):
    """A receipt on its way from the inbox to its message."""

    id: UUID
    account_id: UUID
    platform_id: str
    status: Literal["sent", "delivered", "read", "refused"]
    at: datetime
    code: str | None = None
