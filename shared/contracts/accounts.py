"""Brands, keys, accounts, callbacks and events on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.contracts.base import Contract
from shared.contracts.campaigns import Name
from shared.contracts.feed import News
from shared.contracts.stories import Language

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]

EventType = Literal[
    "message.received",
    "message.sent",
    "message.delivered",
    "message.read",
    "message.refused",
    "message.unknown",
    News,
    "campaign.launched",
    "campaign.finished",
    "campaign.paused",
    "campaign.ended",
    "story.opened",
    "story.finished",
    "story.clicked",
    "account.broken",
    "account.recovered",
]


class BrandIn(Contract):
    """A brand as the operator creates it."""

    name: Name
    country: Country
    languages: Annotated[tuple[Language, ...], Field(min_length=1, max_length=30)]
    timezone: Annotated[str, StringConstraints(max_length=64)]


class AccountSetup(Contract):
    """What the dispatcher is told about an account: the half that sends."""

    id: UUID
    brand_id: UUID
    channel: str
    name: Name
    credentials: dict[str, object]
    settings: dict[str, object] = {}


class AccountChange(Contract):
    """What may be changed of an account; what is left out stays."""

    name: Name | None = None
    credentials: dict[str, object] | None = None
    settings: dict[str, object] | None = None


class ConnectIn(Contract):
    """Where the platform shall send its webhooks, and the secret it shall prove itself with."""

    webhook_url: str
    secret: str


class AccountState(Contract):
    """How an account is doing, as the dispatcher knows it."""

    id: UUID
    status: Literal["new", "connected", "broken"]
    status_reason: str | None = None
    platform_id: str | None = None
    platform_name: str | None = None


class EndpointIn(Contract):
    """Where a brand wants to be called."""

    url: Annotated[str, StringConstraints(min_length=8, max_length=2_048)]
    types: Annotated[tuple[EventType, ...], Field(max_length=50)] = ()
    """None named: all of them."""


class EndpointChange(Contract):
    """What may be changed of a callback endpoint; what is left out stays."""

    url: Annotated[str, StringConstraints(min_length=8, max_length=2_048)] | None = None
    types: Annotated[tuple[EventType, ...], Field(max_length=50)] | None = None
    enabled: bool | None = None


class Endpoint(Contract):
    """A callback endpoint."""

    id: UUID
    url: str
    types: tuple[EventType, ...]
    enabled: bool
    disabled_reason: str | None = None
    created_at: datetime


class EndpointWithSecret(Endpoint):
    """The same, with the secret that is shown once."""

    secret: str


class CallbackAttempt(Contract):
    """One try at one callback."""

    id: UUID
    event_id: UUID
    type: str
    status: Literal["delivered", "again", "refused"]
    number: int
    at: datetime
    http_status: int | None = None
    code: str | None = None


class Event(Contract):
    """Something that happened, as callbacks carry it."""

    id: UUID
    type: EventType
    timestamp: datetime
    data: dict[str, object]


class EventIn(Contract):
    """An event that the gateway tells the dispatcher of; `id` follows from its cause."""

    id: UUID
    brand_id: UUID
    type: EventType
    timestamp: datetime
    data: dict[str, object]
