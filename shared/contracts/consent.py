"""Consent on the wire: who may be written to, by which account, for which purpose, and why."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Contract
from shared.contracts.clock import QuietHours

Address = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Purpose = Annotated[
    str, StringConstraints(pattern=r"^(marketing(\.[a-z0-9_-]{1,40})?|service|measuring)$")
]
"""What brands may name. `marketing` covers every `marketing.<topic>`."""
AnyPurpose = Annotated[
    str, StringConstraints(pattern=r"^(marketing(\.[a-z0-9_-]{1,40})?|service|measuring|reply)$")
]
"""With `reply`, which only the house itself uses: one answer per inbound event."""


class Scope(StrEnum):
    """How far a revocation reaches. All but `purpose` leave `service` alone, unless it is named."""

    PURPOSE = "purpose"
    ACCOUNT = "account"
    CHANNEL = "channel"
    BRAND = "brand"


class NoticeShown(Contract):
    """Which notice a person was shown, and how: what a yes was an answer to."""

    id: UUID | None = None
    """None for the house's own wording."""
    version: str
    language: str
    digest: str
    """SHA-256 of the notice's text in this language, in hexadecimal."""
    event_id: UUID
    """The line of the ledger that says that it was served."""
    message_id: UUID | None = None
    """The message that served it."""
    platform_id: Annotated[str, StringConstraints(max_length=256)] | None = None
    """The platform's id of that message, where the answer names it."""


class Evidence(Contract):
    """How a person said it: what a regulator asks for."""

    source: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    """Such as `web_form`, `telegram.start`, `chat`, `shop_till`."""
    wording: Annotated[str, StringConstraints(max_length=10_000)] | None = None
    wording_version: Annotated[str, StringConstraints(max_length=100)] | None = None
    language: Annotated[str, StringConstraints(max_length=35)] | None = None
    at: datetime | None = None
    """When it happened, as the caller or the platform says: evidence, never our order."""
    url: Annotated[str, StringConstraints(max_length=2_048)] | None = None
    ip: Annotated[str, StringConstraints(max_length=45)] | None = None
    user_agent: Annotated[str, StringConstraints(max_length=500)] | None = None
    payload: Annotated[str, StringConstraints(max_length=256)] | None = None
    """A deep link's payload."""
    platform_id: Annotated[str, StringConstraints(max_length=256)] | None = None
    """The platform's id of the message or tap that said it."""
    inbox_id: UUID | None = None
    """The stored webhook that it came with."""
    rule: Annotated[str, StringConstraints(max_length=200)] | None = None
    """The keyword, the words or the button that was recognised."""
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    """How surely words were understood; 1 for a keyword."""
    text: Annotated[str, StringConstraints(max_length=4_096)] | None = None
    """The person's own words."""
    note: Annotated[str, StringConstraints(max_length=1_000)] | None = None
    """What somebody of the brand wrote down about it."""
    notice: NoticeShown | None = None
    """What they were shown before they said it."""
    raw: Annotated[str, StringConstraints(max_length=16_384)] | None = None
    """The webhook that said it, where it said nothing else."""
    uses: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """For how many messages the yes was given; None for no such limit."""


class Profile(Contract):
    """What the platform told about a person in passing."""

    language: str | None = None
    name: str | None = None


class ConsentEventIn(Contract):
    """Something to record. `id` is made by the caller, so a repeat changes nothing."""

    id: UUID
    brand_id: UUID
    action: Literal[
        "grant",
        "confirm",
        "decline",
        "revoke",
        "pause",
        "resume",
        "block",
        "unblock",
        "seen",
        "heard",
    ]
    """`confirm`, `decline`: the person answered a notice, by `question` where they tapped.
    `heard`: the person wrote `evidence.text`; the registry finds out what it means.
    `seen`: the person was there; known from now on, nothing agreed.
    `pause`: no marketing before `until`, whatever was granted; `resume`: go on."""
    account_id: UUID
    address: Address
    purpose: Purpose = "marketing"
    scope: Scope = Scope.PURPOSE
    evidence: Evidence
    expires_at: datetime | None = None
    until: datetime | None = None
    """When a pause ends; None for thirty days."""
    uses: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """For how many messages a grant is good; None for as many as there are."""
    review_id: UUID | None = None
    """The review that this decides; nothing happens where it was decided before."""
    reason: Literal["platform_opt_out", "platform_left"] | None = None
    """Of a revocation that the person said to the platform: no more of this, or not here any more.
    `evidence.rule` is what the platform calls it."""
    profile: Profile = Profile()
    wants_reply: bool = False
    """The person said it in a chat, where one answer is owed."""
    question: UUID | None = None
    """The question whose button was tapped."""
    reply_id: UUID | None = None
    """The id of the message that will carry the answer."""


class Heard(Contract):
    """What a person's words were understood as."""

    meaning: Literal["stop", "start", "help", "pause", "doubtful"]
    """`doubtful`: it may have been a stop; paused until somebody has looked at it."""
    language: str
    """The language of the words, `und` where they do not tell."""
    rule: str
    """How they were recognised, for the evidence."""
    score: float = 1.0
    """How surely, of 0 to 1."""
    days: Annotated[int, Field(ge=1, le=365)] | None = None
    """How long a pause is asked for; None where no length was told."""


class Reached(Contract):
    """One key that an event changed or confirmed."""

    account_id: UUID
    address: Address
    purposes: tuple[str, ...]
    """Exact purposes; `marketing` stands for its topics too."""


RecordedState = Literal["granted", "pending", "revoked", "paused", "unchanged"]
"""What an event led to. `pending`: a yes that waits for its second half. `paused`: not for now."""


class Question(Contract):
    """A notice that waits for an answer, with the words on its two buttons."""

    id: UUID
    """The line of the ledger that says that it was served."""
    yes: str
    no: str


class ConsentRecorded(Contract):
    """What became of an event; equal for a repeat of it."""

    id: UUID
    seq: int
    """The ledger's sequence: our only order."""
    person_id: UUID
    state: RecordedState
    reason: str | None = None
    """Why a grant changed nothing, such as `older_than_revocation`; `doubtful` for a pause; what a
    platform told, such as `platform_opt_out`."""
    effective_at: datetime
    paused_until: datetime | None = None
    """When a pause ends by itself; None where it waits for somebody."""
    reaches: tuple[Reached, ...]
    """Where a revocation or a pause holds: what the dispatcher must halt."""
    heard: Heard | None = None
    reply: str | None = None
    """The one answer that the person is owed, in their language; None for none."""
    reply_wording: str | None = None
    """The version of the wording of `reply`."""
    reply_link: str | None = None
    """The words before the link to the person's own page, where the reply ends with it."""
    question: Question | None = None
    """What `reply` asks, where it is a notice."""


class PermissionQuestion(Contract):
    """May these people be written to, now?"""

    brand_id: UUID
    account_id: UUID
    purpose: AnyPurpose
    addresses: Annotated[tuple[Address, ...], Field(max_length=1000)]
    messages: Annotated[tuple[UUID, ...], Field(max_length=1000)] | None = None
    """What each address would get. A message that is allowed takes its place under the caps, and
    one use of a counted grant: once, however often it is asked about. Left out, nothing is taken.
    """

    @model_validator(mode="after")
    def _one_for_each(self) -> Self:
        if self.messages is not None and len(self.messages) != len(self.addresses):
            raise ValueError("name one message for each address, or none")
        return self


class Permission(Contract):
    """The answer for one address."""

    address: Address
    allowed: bool
    reason: str
    """`granted`, `reply`; or `no_consent`, `pending`, `revoked`, `expired`, `blocked`, `paused`; or
    what a yes has to wait for: `quiet_hours`, `capped`."""
    consent_event_id: UUID | None = None
    seq: int = 0
    until: datetime | None = None
    """When to ask again, where a yes has to wait."""


class Permissions(Contract):
    """The answers, in the order of the question."""

    results: tuple[Permission, ...]


class PersonAddress(Contract):
    """Where a person can be reached."""

    account_id: UUID
    channel: str
    address: Address
    blocked_at: datetime | None = None


class ConsentState(Contract):
    """What holds for one purpose on one account, and since which event."""

    account_id: UUID
    address: Address
    purpose: str
    status: Literal["granted", "pending", "revoked", "expired"]
    since: datetime
    expires_at: datetime | None = None
    paused: bool = False
    """Nothing is sent for it now, whatever its status."""
    paused_until: datetime | None = None
    """When the pause ends by itself; None where it waits for a review."""
    uses_left: int | None = None
    """For how many messages a counted grant is still good; None for any number."""
    consent_event_id: UUID
    seq: int


class Person(Contract):
    """A person as one brand knows them."""

    id: UUID
    language: str | None = None
    timezone: str | None = None
    quiet_hours: QuietHours | None = None
    """When they do not want to be written to, beside the hours of their country and the brand."""
    tags: tuple[str, ...] = ()
    attributes: dict[str, str | int | float | bool | None] = {}
    created_at: datetime
    merged_into: UUID | None = None
    """Who has this person's addresses and history, since a brand said that they are one."""
    addresses: tuple[PersonAddress, ...] = ()
    consents: tuple[ConsentState, ...] = ()


Tag = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.:-]{0,63}$")]


class PersonChange(Contract):
    """What a brand may say about a person; what is left out stays."""

    language: Annotated[str, StringConstraints(max_length=35)] | None = None
    timezone: Annotated[str, StringConstraints(max_length=64)] | None = None
    quiet_hours: QuietHours | None = None
    tags: Annotated[tuple[Tag, ...], Field(max_length=100)] | None = None
    attributes: (
        Annotated[dict[str, str | int | float | bool | None], Field(max_length=100)] | None
    ) = None


class HistoryEntry(Contract):
    """One event of a person's history."""

    id: UUID
    seq: int
    action: str
    account_id: UUID
    address: Address
    purpose: str
    scope: Scope
    recorded_at: datetime
    expires_at: datetime | None = None
    """Until when a yes was good, or when a pause was to end."""
    evidence: Evidence


class History(Contract):
    """A person's events in the ledger's order; go on with `after=<next>`."""

    items: tuple[HistoryEntry, ...]
    next: int | None = None


class BrandFacts(Contract):
    """What consent needs to know of a brand."""

    id: UUID
    name: str
    country: str
    languages: tuple[str, ...]
    timezone: str


class AccountFacts(Contract):
    """What consent needs to know of an account."""

    id: UUID
    brand_id: UUID
    channel: str
