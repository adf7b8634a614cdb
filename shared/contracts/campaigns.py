"""Stories, campaigns, messages and what became of them, on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.attributes import AttributeFilter
from shared.contracts.audiences import (
    AudienceFilter,
)
from shared.contracts.base import Contract
from shared.contracts.consent import (
    Address,
    Purpose,
)
from shared.contracts.messages import Message
from shared.contracts.stories import Finding, Frame, Language, Variant

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
    """`everyone`, or `addresses`, or people by `tags`, by `attributes`, or by both."""

    everyone: Literal[True] | None = None
    tags: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)] | None = None
    """People who carry at least one of them."""
    attributes: AttributeFilter | None = None
    """People whose attributes fit; with `tags`, those of them who do."""
    addresses: Annotated[tuple[Address, ...], Field(min_length=1, max_length=100_000)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "AudienceIn":
        chosen = self.tags is not None or self.attributes is not None
        if [chosen, self.everyone is not None, self.addresses is not None].count(True) != 1:
            raise ValueError("name exactly one of everyone, tags and/or attributes, addresses")
        return self

    def filter(self) -> AudienceFilter:
        """Return the same as the consent registry understands it."""
        return AudienceFilter(
            everyone=bool(self.everyone),
            tags=self.tags or (),
            attributes=self.attributes,
            addresses=self.addresses or (),
        )


VariantName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


class CampaignVariant(Contract):
    """One of several stories that a campaign tries, for a share of its people."""

    name: VariantName
    story_id: UUID
    weight: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Its share is its weight among the weights of all."""


class Recipients(StrEnum):
    """Whom a campaign means while it runs."""

    FROZEN = "frozen"
    LIVE = "live"


class CampaignIn(Contract):
    """A story on its way to an audience, as a brand asks for it."""

    name: Name
    story_id: UUID | None = None
    """What is told; left out where there are `variants`."""
    variants: Annotated[tuple[CampaignVariant, ...], Field(max_length=10)] = ()
    """Stories to try against each other: each person gets one of them, always the same."""
    hold_out: Annotated[float, Field(ge=0, le=0.9, allow_inf_nan=False)] = 0.0
    """The share of people who get nothing, to compare with: withheld as `hold_out`."""
    purpose: Purpose = "marketing"
    account_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=100)]
    audience: AudienceIn
    recipients: Recipients = Recipients.FROZEN
    """`frozen`: who fits the audience at the launch. `live`: who comes to fit it later, too."""
    live_until: datetime | None = None
    """Until when a live campaign looks for people; None: while any of its messages waits."""
    send_at: datetime | None = None
    """Not before this moment; at once when left out."""
    recipient_local_time: bool = False
    """Read `send_at` as wall-clock time where each person lives."""
    deadline: datetime | None = None
    """What has not started by then is withheld as `too_late`."""

    @model_validator(mode="after")
    def _whole(self) -> "CampaignIn":
        if (self.story_id is None) == (not self.variants):
            raise ValueError("give either a story_id or variants")
        if len({each.name for each in self.variants}) < len(self.variants):
            raise ValueError("two variants have the same name")
        if len(self.variants) == 1:
            raise ValueError("one variant is none: give a story_id, or at least two")
        if self.live_until is not None and self.recipients != Recipients.LIVE:
            raise ValueError('live_until is for "recipients": "live"')
        return self


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


class CampaignFacts(Contract):
    """What is told of a campaign wherever it is told of."""

    id: UUID
    name: Name
    story_id: UUID | None
    variants: tuple[CampaignVariant, ...] = ()
    hold_out: float = 0.0
    purpose: Purpose
    account_ids: tuple[UUID, ...]
    recipients: Recipients = Recipients.FROZEN
    live_until: datetime | None = None
    send_at: datetime | None = None
    recipient_local_time: bool = False
    deadline: datetime | None = None
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
    deferred: dict[str, int] = {}
    """How many of the queued wait for what: `quiet_hours`, `capped`. They are in `totals` too."""
    variant_totals: dict[str, Totals] = {}
    """The same of each variant; who is held out, or was named and may not be written to, has
    none."""
    excluded: dict[str, int] = {}
    """People of `everyone`, `tags` or `attributes` who may not be written to, by reason: they got
    no message. Of a live campaign, as its last whole look found them."""
    zone_fallbacks: int = 0
    """Messages whose hour is that of the account's time zone, because the person's is missing or
    none."""
    named: int | None = None
    """How many addresses it was made for, where it was made for addresses."""


class Campaign(CampaignFacts):
    """A stored campaign."""

    audience: AudienceIn


class CampaignItem(CampaignFacts):
    """A campaign in a list, which leaves out up to 100,000 addresses."""

    audience: AudienceIn | None
    """None where it was made for addresses."""


class Preflight(Contract):
    """What a launch would do now."""

    eligible: int
    """People (on each account) who may be written to now."""
    excluded: dict[str, int]
    """Those who may not, by reason. Named ones get a withheld message for it, others none."""
    withheld: dict[str, int] = {}
    """How many of the eligible would get nothing, by reason: `hold_out`, `too_late` where their
    hour comes after the deadline, `quiet_hours` where these end after it."""
    deferred: dict[str, int] = {}
    """How many of the others would have to wait when they are due, by reason."""
    variants: dict[str, int] = {}
    """How many of them would get which variant."""
    zone_fallbacks: int = 0
    """How many of them have no time zone of use, and get it at the account's hour."""
    expected_finish_at: datetime | None
    """At the accounts' pace, with what waits on them already, local time and quiet hours. Those
    who wait under a cap are not in it."""
    expected_too_late: int = 0
    """How many would not have started by the deadline at this pace, beside those withheld."""
    findings: tuple[ChannelFinding, ...]


class CampaignTest(Contract):
    """Who of the brand's own gets a campaign's story before anybody else does."""

    addresses: Annotated[tuple[Address, ...], Field(min_length=1, max_length=10)]
    """They must have consented like anyone."""
    account_id: UUID | None = None
    """The account that sends; it may be left out where the campaign has one."""
    variants: Annotated[tuple[VariantName, ...], Field(min_length=1, max_length=10)] | None = None
    """Which variants; all of them when left out."""


class SentTests(Contract):
    """The messages of a test, by address and variant."""

    items: tuple[Message, ...]


class ReplayIn(Contract):
    """Which dead letters of a campaign are to be tried once more: what was surely not taken."""

    statuses: Annotated[
        tuple[Literal["refused", "withheld"], ...], Field(min_length=1, max_length=2)
    ] = ("refused",)
    """`refused` by the platform, or `withheld` by us. Whom a hold-out chose stays out of it."""
    reasons: (
        Annotated[
            tuple[Annotated[str, Field(min_length=1, max_length=100)], ...],
            Field(min_length=1, max_length=50),
        ]
        | None
    ) = None
    """Only for these reasons, as the messages tell them; for any when left out."""


class Replay(ReplayIn):
    """Dead letters on their way back to the queue. Everybody is asked about once more."""

    id: UUID
    campaign_id: UUID
    created_at: datetime
    queued: int = 0
    """How many messages wait again because of it."""
    ended_at: datetime | None = None
    """Since then all that there were when it was asked for have been looked at."""


class Replays(Contract):
    """The replays of a campaign, the newest first."""

    items: tuple[Replay, ...]
