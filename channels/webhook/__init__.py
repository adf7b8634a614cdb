"""Webhook: a brand's own system as a channel, spoken to by signed posts both ways."""

from channels.base.channel import Capabilities, Channel, Pace
from channels.base.taking_back import TakeBack
from channels.webhook import inbound, render, signing
from channels.webhook.addresses import normalise
from channels.webhook.credentials import Credentials

webhook = Channel(
    name="webhook",
    title="Webhook",
    capabilities=Capabilities(
        text_limit=render.TEXT_LIMIT,
        caption_limit=render.TEXT_LIMIT,
        pace=Pace(per_second=200),
        tells_delivered=True,
        tells_read=True,
        removes_doubles=True,
        take_back=TakeBack(beside=20),
    ),
    credentials=Credentials,
    outbound="channels.webhook.outbound",
    verify=signing.verify,
    stamp=inbound.stamp,
    parse=inbound.parse,
    render=render.render,
    text=render.text,
    normalise=normalise,
)
