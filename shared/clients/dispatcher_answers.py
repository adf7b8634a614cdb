"""The dispatcher's answers that are lists: pages of contracts."""

from shared.contracts.accounts import AccountState, CallbackAttempt, Endpoint, Event
from shared.contracts.base import Contract
from shared.contracts.campaigns import CampaignItem, ChannelFinding, Story
from shared.contracts.messages import Message
from shared.contracts.stories import Part


class AccountStates(Contract):
    """How all accounts of a brand are doing."""

    items: tuple[AccountState, ...]


class StoryPage(Contract):
    """A brand's stories."""

    items: tuple[Story, ...]
    next: str | None = None


class ChannelRendering(Contract):
    """A story as one channel's exact calls, in one language."""

    channel: str
    language: str
    parts: tuple[Part, ...]
    findings: tuple[ChannelFinding, ...] = ()


class Renderings(Contract):
    """One for each language."""

    items: tuple[ChannelRendering, ...]


class CampaignPage(Contract):
    """A brand's campaigns."""

    items: tuple[CampaignItem, ...]
    next: str | None = None


class MessagePage(Contract):
    """Messages of a campaign."""

    items: tuple[Message, ...]
    next: str | None = None


class EndpointPage(Contract):
    """A brand's callback endpoints."""

    items: tuple[Endpoint, ...]
    next: str | None = None


class CallbackAttemptPage(Contract):
    """Tries at callbacks, the newest first."""

    items: tuple[CallbackAttempt, ...]
    next: str | None = None


class EventPage(Contract):
    """What happened, in order."""

    items: tuple[Event, ...]
    next: str | None = None


class Requeued(Contract):
    """How many callbacks are on their way again."""

    queued: int
