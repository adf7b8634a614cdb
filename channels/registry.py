"""Every channel we speak. A new channel: write its folder, then name it here."""

from channels.base.channel import Channel
from channels.telegram import telegram
from channels.webhook import webhook

CHANNELS: dict[str, Channel] = {channel.name: channel for channel in (telegram, webhook)}
