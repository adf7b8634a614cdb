"""The dispatcher as the gateway sees it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Literal, TypeVar
from uuid import UUID

import httpx
from pydantic import BaseModel

from shared.clients.base import Params, ServiceClient
from shared.clients.dispatcher_answers import (
    AccountStates,
    CallbackAttemptPage,
    CampaignPage,
    EndpointPage,
    EventPage,
    MessagePage,
    Renderings,
    Requeued,
    StoryPage,
)
from shared.contracts.accounts import (
    AccountChange,
    AccountSetup,
    AccountState,
    ConnectIn,
    Endpoint,
    EndpointChange,
    EndpointIn,
    EndpointWithSecret,
    Event,
    EventIn,
)
from shared.contracts.campaigns import (
    Campaign,
    CampaignIn,
    CampaignTest,
    Media,
    Preflight,
    Replay,
    ReplayIn,
    Replays,
    SentTests,
    Story,
    StoryChange,
    StoryIn,
)
from shared.contracts.exports import SentMessages
from shared.contracts.forgetting import Forget, Forgotten
from shared.contracts.halts import Halt, Halted
from shared.contracts.messages import HouseMessage, Message, MessageIn, ReceiptIn
from shared.contracts.proofs import SentContent
from shared.security.service_tokens import Signer

_T = TypeVar("_T", bound=BaseModel)

CONNECT_WITHIN = 30.0
"""Seconds for what asks the platform itself: it may be slow."""
UPLOAD_WITHIN = 120.0
"""Seconds for a picture or a video on its way in."""
PREFLIGHT_WITHIN = 60.0
"""Seconds for looking at a whole audience."""
_HALT_MARGIN = 1.0

Step = Literal["launch", "pause", "resume", "cancel"]


class DispatcherClient:
    """Tells the dispatcher what to do. Every call may be repeated."""

    def __init__(
        self, base_url: str, signer: Signer, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Speak with the dispatcher at `base_url`; a `transport` reaches an app in process."""
        self._service = ServiceClient(base_url, signer, audience="dispatcher", transport=transport)

    async def close(self) -> None:
        """Let go of every connection."""
        await self._service.close()

    # Accounts

    async def put_account(self, setup: AccountSetup) -> AccountState:
        """Hand over the half of an account that sends."""
        path = _path(setup.brand_id, "accounts", setup.id)
        return await self._service.ask(AccountState, "PUT", path, body=setup)

    async def change_account(
        self, brand_id: UUID, account_id: UUID, change: AccountChange
    ) -> AccountState:
        """Change what is given and leave the rest."""
        path = _path(brand_id, "accounts", account_id)
        return await self._change(AccountState, path, change)

    async def delete_account(self, brand_id: UUID, account_id: UUID) -> None:
        """Forget the account's credentials and send nothing more through it."""
        await self._service.send("DELETE", _path(brand_id, "accounts", account_id))

    async def connect(self, brand_id: UUID, account_id: UUID, where: ConnectIn) -> AccountState:
        """Ask the platform to send its webhooks to us.

        Raises `ServiceRefused` with code `account_refused` when the platform says no.
        """
        path = _path(brand_id, "accounts", account_id, "connect")
        return await self._service.ask(
            AccountState, "POST", path, body=where, within=CONNECT_WITHIN
        )

    async def accounts(self, brand_id: UUID) -> dict[UUID, AccountState]:
        """Return how a brand's accounts are doing, by id."""
        states = await self._service.ask(AccountStates, "GET", _path(brand_id, "accounts"))
        return {state.id: state for state in states.items}

    async def acknowledge(
        self, brand_id: UUID, account_id: UUID, tap_id: str, *, within: float = 2.0
    ) -> None:
        """Let a tapped button stop turning; best effort."""
        path = _path(brand_id, "accounts", account_id, "taps")
        await self._service.send("POST", path, body={"tap_id": tap_id}, within=within)

    # Media and stories

    async def put_media(self, brand_id: UUID, *, mime: str, name: str, data: bytes) -> Media:
        """Store a picture or a video; equal bytes get the same id again."""
        return await self._service.ask(
            Media,
            "POST",
            _path(brand_id, "media"),
            body=data,
            # A header is Latin-1 at best; a name in other letters travels in its escaped form.
            headers={"content-type": mime, "x-file-name": _header_text(name)},
            within=UPLOAD_WITHIN,
        )

    async def get_media(self, brand_id: UUID, media_id: UUID) -> Media:
        """Return the facts of a picture or a video."""
        return await self._service.ask(Media, "GET", _path(brand_id, "media", media_id))

    @asynccontextmanager
    async def media_content(self, brand_id: UUID, media_id: UUID) -> AsyncIterator[httpx.Response]:
        """Open the bytes of a picture or a video."""
        path = _path(brand_id, "media", media_id, "content")
        async with self._service.stream("GET", path) as response:
            yield response

    async def put_story(self, brand_id: UUID, story_id: UUID, story: StoryIn) -> Story:
        """Store a story."""
        path = _path(brand_id, "stories", story_id)
        return await self._service.ask(Story, "PUT", path, body=story)

    async def stories(
        self, brand_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> StoryPage:
        """List stories."""
        params = {"cursor": cursor, "limit": limit}
        return await self._service.ask(StoryPage, "GET", _path(brand_id, "stories"), params=params)

    async def get_story(self, brand_id: UUID, story_id: UUID) -> Story:
        """Return a story with its findings."""
        return await self._service.ask(Story, "GET", _path(brand_id, "stories", story_id))

    async def change_story(self, brand_id: UUID, story_id: UUID, change: StoryChange) -> Story:
        """Change what is given; campaigns that were launched keep what they were launched with."""
        return await self._change(Story, _path(brand_id, "stories", story_id), change)

    async def delete_story(self, brand_id: UUID, story_id: UUID) -> None:
        """Delete a story, unless a live campaign uses it (`ServiceRefused`, 409)."""
        await self._service.send("DELETE", _path(brand_id, "stories", story_id))

    async def renderings(
        self, brand_id: UUID, story_id: UUID, *, channel: str | None = None
    ) -> Renderings:
        """Return the exact platform calls that a story would become."""
        path = _path(brand_id, "stories", story_id, "renderings")
        return await self._service.ask(Renderings, "GET", path, params={"channel": channel})

    # Campaigns and messages

    async def put_campaign(
        self, brand_id: UUID, campaign_id: UUID, campaign: CampaignIn
    ) -> Campaign:
        """Store a campaign as a draft."""
        path = _path(brand_id, "campaigns", campaign_id)
        return await self._service.ask(Campaign, "PUT", path, body=campaign)

    async def campaigns(
        self, brand_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> CampaignPage:
        """List campaigns."""
        params = {"cursor": cursor, "limit": limit}
        return await self._service.ask(
            CampaignPage, "GET", _path(brand_id, "campaigns"), params=params
        )

    async def get_campaign(self, brand_id: UUID, campaign_id: UUID) -> Campaign:
        """Return a campaign with its totals."""
        return await self._service.ask(Campaign, "GET", _path(brand_id, "campaigns", campaign_id))

    async def preflight(self, brand_id: UUID, campaign_id: UUID) -> Preflight:
        """Say what a launch would do now."""
        path = _path(brand_id, "campaigns", campaign_id, "preflight")
        return await self._service.ask(Preflight, "POST", path, within=PREFLIGHT_WITHIN)

    async def test_campaign(
        self, brand_id: UUID, campaign_id: UUID, test_id: UUID, test: CampaignTest
    ) -> SentTests:
        """Send a campaign's story to some of the brand's own."""
        path = _path(brand_id, "campaigns", campaign_id, "tests", test_id)
        return await self._service.ask(SentTests, "PUT", path, body=test)

    async def replay_campaign(
        self, brand_id: UUID, campaign_id: UUID, replay_id: UUID, wanted: ReplayIn
    ) -> Replay:
        """Try a campaign's dead letters once more."""
        path = _path(brand_id, "campaigns", campaign_id, "replays", replay_id)
        return await self._service.ask(Replay, "PUT", path, body=wanted)

    async def replays(self, brand_id: UUID, campaign_id: UUID) -> Replays:
        """Say how far a campaign's replays are."""
        path = _path(brand_id, "campaigns", campaign_id, "replays")
        return await self._service.ask(Replays, "GET", path)

    async def step_campaign(self, brand_id: UUID, campaign_id: UUID, step: Step) -> Campaign:
        """Launch, pause, resume or cancel a campaign."""
        path = _path(brand_id, "campaigns", campaign_id, step)
        return await self._service.ask(Campaign, "POST", path)

    async def campaign_messages(
        self,
        brand_id: UUID,
        campaign_id: UUID,
        *,
        status: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> MessagePage:
        """List the messages of a campaign."""
        path = _path(brand_id, "campaigns", campaign_id, "messages")
        params = {"status": status, "cursor": cursor, "limit": limit}
        return await self._service.ask(MessagePage, "GET", path, params=params)

    async def put_message(
        self, brand_id: UUID, message_id: UUID, message: MessageIn | HouseMessage
    ) -> Message:
        """Queue one message to one person."""
        path = _path(brand_id, "messages", message_id)
        return await self._service.ask(Message, "PUT", path, body=message)

    async def get_message(self, brand_id: UUID, message_id: UUID) -> Message:
        """Return a message with its attempts and receipts."""
        return await self._service.ask(Message, "GET", _path(brand_id, "messages", message_id))

    async def messages_to(
        self,
        brand_id: UUID,
        *,
        channel: str,
        address: str,
        cursor: str | None = None,
        limit: int = 100,
    ) -> SentMessages:
        """List the messages to one address of a channel with what they say, the oldest first."""
        params = {"channel": channel, "address": address, "cursor": cursor, "limit": limit}
        path = _path(brand_id, "messages")
        return await self._service.ask(SentMessages, "GET", path, params=params)

    async def get_content(self, brand_id: UUID, message_id: UUID) -> SentContent:
        """Return what a message says."""
        path = f"{_path(brand_id, 'messages', message_id)}/content"
        return await self._service.ask(SentContent, "GET", path)

    # What people and platforms said

    async def halt(self, order: Halt, *, within: float | None = None) -> Halted:
        """Stop everything for these keys; `settled` says whether all that was in flight has ended.

        Gives up after `within` seconds, a little more than the halt itself may wait.
        """
        seconds = order.wait_seconds + _HALT_MARGIN if within is None else within
        return await self._service.ask(Halted, "POST", "/v1/halts", body=order, within=seconds)

    async def forget(self, order: Forget) -> Forgotten:
        """Forget an erased person; where it is not settled yet, something is in flight."""
        return await self._service.ask(Forgotten, "POST", "/v1/forgetting", body=order)

    async def receipts(self, brand_id: UUID, receipts: Sequence[ReceiptIn]) -> None:
        """Hand over what platforms said later about messages."""
        items = [receipt.model_dump(mode="json") for receipt in receipts]
        await self._service.send("POST", _path(brand_id, "receipts"), body={"items": items})

    async def tell(self, events: Sequence[EventIn]) -> None:
        """Hand over events for the brands' callbacks; an event of the same id is told once."""
        items = [event.model_dump(mode="json") for event in events]
        await self._service.send("POST", "/v1/events", body={"items": items})

    # Events and callbacks

    async def events(
        self,
        brand_id: UUID,
        *,
        type: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> EventPage:
        """List what happened."""
        params = {"type": type, "cursor": cursor, "limit": limit}
        return await self._service.ask(EventPage, "GET", _path(brand_id, "events"), params=params)

    @asynccontextmanager
    async def event_stream(
        self, brand_id: UUID, *, after: str | None = None, type: str | None = None
    ) -> AsyncIterator[httpx.Response]:
        """Open the stream of events (text/event-stream), for as long as it lasts."""
        path = _path(brand_id, "events", "stream")
        params: Params = {"after": after, "type": type}
        async with self._service.stream("GET", path, params=params) as response:
            yield response

    async def replay(self, brand_id: UUID, event_id: UUID) -> Event:
        """Call the brand back about an event once more."""
        path = _path(brand_id, "events", event_id, "replay")
        return await self._service.ask(Event, "POST", path)

    async def put_endpoint(
        self, brand_id: UUID, endpoint_id: UUID, endpoint: EndpointIn
    ) -> EndpointWithSecret:
        """Store a callback endpoint; its secret is in the answer alone."""
        path = _path(brand_id, "callbacks", endpoint_id)
        return await self._service.ask(EndpointWithSecret, "PUT", path, body=endpoint)

    async def endpoints(
        self, brand_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> EndpointPage:
        """List callback endpoints."""
        params = {"cursor": cursor, "limit": limit}
        return await self._service.ask(
            EndpointPage, "GET", _path(brand_id, "callbacks"), params=params
        )

    async def get_endpoint(self, brand_id: UUID, endpoint_id: UUID) -> Endpoint:
        """Return a callback endpoint."""
        return await self._service.ask(Endpoint, "GET", _path(brand_id, "callbacks", endpoint_id))

    async def change_endpoint(
        self, brand_id: UUID, endpoint_id: UUID, change: EndpointChange
    ) -> Endpoint:
        """Change what is given and leave the rest."""
        return await self._change(Endpoint, _path(brand_id, "callbacks", endpoint_id), change)

    async def delete_endpoint(self, brand_id: UUID, endpoint_id: UUID) -> None:
        """Call there no more."""
        await self._service.send("DELETE", _path(brand_id, "callbacks", endpoint_id))

    async def callback_attempts(
        self, brand_id: UUID, endpoint_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> CallbackAttemptPage:
        """List the tries at an endpoint."""
        path = _path(brand_id, "callbacks", endpoint_id, "attempts")
        params = {"cursor": cursor, "limit": limit}
        return await self._service.ask(CallbackAttemptPage, "GET", path, params=params)

    async def redeliver(
        self, brand_id: UUID, endpoint_id: UUID, what: Mapping[str, object]
    ) -> Requeued:
        """Call back again: about one event (`event_id`), or about all `since` a time."""
        path = _path(brand_id, "callbacks", endpoint_id, "redeliver")
        return await self._service.ask(Requeued, "POST", path, body=what)

    async def rotate(self, brand_id: UUID, endpoint_id: UUID) -> EndpointWithSecret:
        """Make a new secret; the old one signs too for a while."""
        path = _path(brand_id, "callbacks", endpoint_id, "rotate")
        return await self._service.ask(EndpointWithSecret, "POST", path)

    async def _change(self, answer: type[_T], path: str, change: BaseModel) -> _T:
        """Send what was set and nothing else: null and absent are not the same."""
        return await self._service.ask(
            answer,
            "PATCH",
            path,
            body=change.model_dump_json(exclude_unset=True).encode(),
            headers={"content-type": "application/json"},
        )


def _path(brand_id: UUID, *steps: UUID | str) -> str:
    return "/".join((f"/v1/brands/{brand_id}", *map(str, steps)))


def _header_text(name: str) -> str:
    return name.encode("ascii", "backslashreplace").decode().replace("\r", "").replace("\n", "")
