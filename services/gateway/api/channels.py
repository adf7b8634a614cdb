"""Channels: what each platform can do, and what it wants to know."""

from typing import Any

from fastapi import APIRouter

from channels.base.channel import Channel
from channels.registry import CHANNELS
from services.gateway import examples
from services.gateway.examples import worked
from services.gateway.gate import Gate, needs
from shared.contracts.base import Contract

router = APIRouter(tags=["accounts"], route_class=Gate)


class CapabilitiesOut(Contract):
    """What a platform can do."""

    text_limit: int
    caption_limit: int
    messages_per_second: float
    tells_delivered: bool
    tells_read: bool
    receives: bool
    leaving_erases: bool


class ChannelOut(Contract):
    """A channel, with the JSON schemas of what an account of it needs and may choose."""

    name: str
    title: str
    capabilities: CapabilitiesOut
    credentials: dict[str, Any]
    settings: dict[str, Any]


class ChannelPage(Contract):
    """Channels."""

    items: tuple[ChannelOut, ...]
    next: str | None = None


@router.get("/v1/channels", **worked(examples.page(examples.CHANNEL)))
@needs("accounts:read")
async def list_channels() -> ChannelPage:
    """List the channels, with the JSON schema of the credentials that each one needs."""
    return ChannelPage(items=tuple(_shown(channel) for channel in CHANNELS.values()))


def _shown(channel: Channel) -> ChannelOut:
    can = channel.capabilities
    return ChannelOut(
        name=channel.name,
        title=channel.title,
        capabilities=CapabilitiesOut(
            text_limit=can.text_limit,
            caption_limit=can.caption_limit,
            messages_per_second=can.pace.per_second,
            tells_delivered=can.tells_delivered,
            tells_read=can.tells_read,
            receives=can.receives,
            leaving_erases=can.leaving_erases,
        ),
        credentials=channel.credentials.model_json_schema(),
        settings=channel.settings.model_json_schema(),
    )
