"""Ask people whether to go on before a consent runs out: one message for each time that it is due.

The words come from consent at the moment at which they are needed. The message is marketing like
any other, so consent is asked once more before it leaves, and the person's silence is an answer.
"""

from collections.abc import Mapping
from uuid import UUID

import structlog

from channels.base.channel import Channel
from services.dispatcher import singles
from services.dispatcher.desk import Desk
from services.dispatcher.work import Item
from shared import buttons
from shared.clients.base import ServiceRefused
from shared.contracts.feed import FeedItem
from shared.contracts.messages import HouseContent, HouseMessage
from shared.ids import derived_id
from shared.problems import Problem

log = structlog.get_logger()


def due(item: FeedItem, channels: Mapping[str, Channel]) -> UUID | None:
    """Return the refresh for which somebody can be asked in a chat of their own, if it is one."""
    if item.type != "consent.expiring":
        return None
    channel, address = channels.get(str(item.data["channel"])), item.data["address"]
    if channel is None or not channel.capabilities.asks or not isinstance(address, str):
        return None
    return None if channel.is_group(address) else item.event_id


async def ask(desk: Desk, item: Item) -> None:
    """Queue the question, if there still is one; its id follows from the refresh: never twice."""
    message_id = derived_id(item.subject_id, "question")
    try:
        asked = await desk.consent.ask_refresh(
            item.brand_id, item.subject_id, message_id=message_id
        )
    except ServiceRefused as refusal:
        log.info("refresh.not_asked", refresh=str(item.subject_id), code=refusal.code)
        return
    message = HouseMessage(
        id=message_id,
        account_id=asked.account_id,
        address=asked.address,
        purpose=asked.purpose,
        content=HouseContent(text=asked.words, choices=buttons.below(asked.question)),
        person_id=asked.person_id,
        language=asked.language,
    )
    try:
        await singles.put(desk, item.brand_id, message_id, message)
    except Problem as refusal:
        # The account is gone, or takes no such message: nothing that a repeat would mend.
        log.warning("refresh.refused", refresh=str(item.subject_id), code=refusal.code)
