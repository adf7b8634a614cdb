"""A channel for tests whose platform wants people deleted when they leave, as WeChat does.

In all else it is the webhook channel. `join` lets this process speak it.
"""

from dataclasses import replace

from channels.registry import CHANNELS
from channels.webhook import webhook

LEAVER = replace(
    webhook,
    name="leaver",
    title="Leaver",
    capabilities=replace(webhook.capabilities, leaving_erases=True),
)


def join() -> None:
    """Register the channel in this process."""
    CHANNELS[LEAVER.name] = LEAVER
