"""Telegram: bots that talk to people through the Bot API."""

from datetime import timedelta

from channels.base.channel import Capabilities, Channel, Pace
from channels.base.taking_back import TakeBack
from channels.telegram import frames, inbound, render
from channels.telegram.addresses import is_group, normalise
from channels.telegram.credentials import Credentials


def _bot_id(credentials: object) -> str | None:
    return credentials.bot_id if isinstance(credentials, Credentials) else None


telegram = Channel(
    name="telegram",
    title="Telegram",
    capabilities=Capabilities(
        text_limit=4_096,
        caption_limit=1_024,
        # https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this: about 30
        # a second for a bot, one a second for a person with short bursts, 20 a minute for a group.
        pace=Pace(per_second=28, address_interval=1, address_burst=3, group_per_minute=20),
        asks=True,
        # https://core.telegram.org/bots/api#deletemessage. About thirty calls a second are a bot's,
        # and its sends take 28 of them.
        take_back=TakeBack(delete_within=timedelta(hours=48), replaces=True, beside=2),
        pictures=frames.PICTURES,
        videos=frames.VIDEOS,
    ),
    credentials=Credentials,
    settings=render.Settings,
    outbound="channels.telegram.outbound",
    verify=inbound.verify,
    stamp=inbound.stamp,
    parse=inbound.parse,
    render=render.render,
    text=render.text,
    normalise=normalise,
    is_group=is_group,
    platform_account_id=_bot_id,
)
