"""What a channel is: a value that says what a platform can do and how we speak with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import NamedTuple, Protocol, cast
from uuid import UUID

from pydantic import BaseModel

from channels.base.media import PictureLimits, VideoLimits
from channels.base.outcomes import Sent
from channels.base.settings import AccountSettings
from channels.base.taking_back import TakeBack
from channels.base.webhook import Stamp, WebhookRequest
from shared.contracts.inbound import InboundEvent
from shared.contracts.stories import Choice, Part, RenderedStory, Rendering


@dataclass(frozen=True)
class Pace:
    """How fast a platform lets one account speak. Units: messages, seconds."""

    per_second: float
    """For the whole account."""
    address_interval: float = 0.0
    """Between two messages to one address, once the burst is used up."""
    address_burst: int = 1
    group_per_minute: float | None = None
    """For addresses that `is_group` knows, where the platform has a limit of its own."""


@dataclass(frozen=True)
class Capabilities:
    """What a platform can do; the rest of the house asks here, never by name."""

    text_limit: int
    caption_limit: int
    pace: Pace
    tells_delivered: bool = False
    tells_read: bool = False
    removes_doubles: bool = False
    """The receiver recognises a repeat by our id, so an unknown outcome may be sent again."""
    receives: bool = True
    """The platform sends us webhooks."""
    asks: bool = False
    """We can ask a person by ourselves: answers are tapped below a text, and the taps come back."""
    take_back: TakeBack | None = None
    """What can be done with a message whose story is over; the sender is a `TakesBack` then."""
    pictures: PictureLimits | None = None
    """What a picture is made to fit before it is sent; none: it is sent as it is."""
    videos: VideoLimits | None = None
    leaving_erases: bool = False
    """The platform wants what is known of a person deleted when they leave (`PersonLeft`). Its
    people are merged with nobody, so that all that came from there can go, and nothing else."""


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A picture or a video with its bytes."""

    id: UUID
    mime: str
    name: str
    data: bytes


class MediaShelf(Protocol):
    """The media of one account: what the platform knows already, and the bytes of the rest."""

    async def reference(self, media_id: UUID) -> str | None:
        """Return the platform's own reference to this media on this account, if it has one.

        While another send of this process uploads the same media, wait for its result. A caller
        that gets none is the uploader: it must call `keep` or `give_up`.
        """
        ...

    async def file(self, media_id: UUID) -> MediaFile:
        """Return the bytes, of a picture as it fits the platform (`Capabilities.pictures`)."""
        ...

    async def keep(
        self, media_id: UUID, reference: str, *, expires_at: datetime | None = None
    ) -> None:
        """Remember the platform's reference, and let those who wait use it."""
        ...

    async def give_up(self, media_id: UUID) -> None:
        """The upload failed; the next caller of `reference` becomes the uploader."""
        ...

    async def forget(self, media_id: UUID, reference: str) -> None:
        """The platform no longer knows this reference; a newer one stays."""
        ...


class Delivery(NamedTuple):
    """One attempt at one part of one message. A tuple, because there are a million of them."""

    attempt_id: UUID
    message_id: UUID
    part_number: int
    """From 0."""
    address: str
    part: Part
    start_before: float
    """No byte may leave after this moment, in `shared.clock.ticks()`."""


@dataclass(frozen=True, slots=True)
class Connected:
    """What the platform says an account is."""

    platform_id: str
    name: str


class Sender(Protocol):
    """A channel opened with one account's credentials."""

    async def send(self, delivery: Delivery) -> Sent:
        """Hand one part to the platform, or raise a `SendError` that says why not."""
        ...

    async def connect(self, webhook_url: str, secret: str) -> Connected:
        """Check the credentials and ask the platform to send its webhooks to us."""
        ...

    async def acknowledge(self, tap_id: str) -> None:
        """Tell the platform that a tap on a button was seen. Its failure is of no consequence."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...


class Outbound(Protocol):
    """A channel's sending half: the module that `Channel.outbound` names."""

    def open_sender(
        self, credentials: BaseModel, *, shelf: MediaShelf, addresses: "AddressPolicy"
    ) -> Sender:
        """Open the channel with one account's credentials."""
        ...


class AddressPolicy(Protocol):
    """Which hosts an outgoing connection may reach (`shared.security.addresses`)."""

    def check(self, host: str, port: int, ip: str) -> None:
        """Raise `ForbiddenAddress` unless a connection to this IP of this host is allowed."""
        ...


@dataclass(frozen=True)
class Channel:
    """One platform, complete."""

    name: str
    title: str
    capabilities: Capabilities
    credentials: type[BaseModel]
    """Validation, form and masked secrets in one; its JSON schema is shown to brands."""
    outbound: str
    """The module of the sending half, imported when first opened: never by the gateway."""
    verify: Callable[[WebhookRequest, str], None]
    """Raise `SignatureMismatch` unless the request proves its origin with this account's secret."""
    stamp: Callable[[WebhookRequest], Stamp]
    """Never raises: a body nobody understands is stamped with its own hash."""
    parse: Callable[[WebhookRequest], list[InboundEvent]]
    """Never raises: what is not understood becomes `NotUnderstood`."""
    render: Callable[[RenderedStory, Mapping[str, object]], Rendering]
    """Pure: one language of a story and the account's settings → the platform's calls, findings."""
    text: Callable[[str, Mapping[str, object], Sequence[Choice]], Part]
    """Pure: a plain text, with answers to tap below it → the platform's call."""
    normalise: Callable[[str], str]
    """An address in its one spelling; raises ValueError that says what is wrong with it."""
    settings: type[AccountSettings] = AccountSettings
    """What a brand may choose for an account; validation and form in one."""
    is_group: Callable[[str], bool] = lambda address: False
    platform_account_id: Callable[[BaseModel], str | None] = lambda credentials: None
    """The platform's own id of the account, where the credentials already tell it."""

    def load(self) -> Outbound:
        """Import the sending half; it may take seconds, so not on the event loop's time."""
        return cast("Outbound", import_module(self.outbound))

    def open(
        self, credentials: BaseModel, *, shelf: MediaShelf, addresses: AddressPolicy
    ) -> Sender:
        """Open the channel with one account's credentials; quick once it is loaded."""
        return self.load().open_sender(credentials, shelf=shelf, addresses=addresses)
