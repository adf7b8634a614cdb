"""Deleting a bot's messages, and what stands in the place of those that are too old for it.

A bot deletes its own messages within 48 hours (https://core.telegram.org/bots/api#deletemessage);
for edits of its own no limit is told. `deleteMessages` passes over in silence what it cannot
delete, so it is used only where our own clock is sure of the age.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from aiogram import methods
from aiogram.exceptions import AiogramError
from aiogram.methods import TelegramMethod

from channels.base.outcomes import SendError, Sent
from channels.base.taking_back import Recall, SentPart, TakenBack, Turn
from channels.telegram.addresses import is_group
from channels.telegram.errors import MESSAGE_GONE, MESSAGE_STAYS
from channels.telegram.failures import outcome_of
from shared import clock
from shared.http import SendingError

_SURELY = timedelta(hours=47)
_AT_ONCE = 100

Call = Callable[[TelegramMethod[Any]], Awaitable[object]]


async def take_back(call: Call, recall: Recall, turn: Turn) -> TakenBack:
    """Delete every part of a message, or put the tombstone where that is no longer possible."""
    asking = _Asking(call, recall, turn)
    results = [await asking.part(sent) for sent in recall.parts]
    for outcome in ("kept", "replaced"):
        if outcome in results:
            return TakenBack(outcome, MESSAGE_STAYS if outcome == "kept" else None)
    return TakenBack("deleted")


class _Asking:
    """The calls about one message."""

    def __init__(self, call: Call, recall: Recall, turn: Turn) -> None:
        self._call = call
        self._turn = turn
        self._chat = int(recall.address)
        self._group = is_group(recall.address)
        self._words = recall.tombstone

    async def part(self, sent: SentPart) -> str:
        """Return `deleted`, `replaced` or `kept` for one part."""
        ids = [int(number) for number in sent.platform_ids]
        if not ids:
            return "kept"
        if 1 < len(ids) <= _AT_ONCE and clock.now() - sent.sent_at < _SURELY:
            await self._ask(methods.DeleteMessages(chat_id=self._chat, message_ids=ids))
            return "deleted"
        results = [await self._one(sent, place, number) for place, number in enumerate(ids)]
        return next((each for each in ("kept", "replaced") if each in results), "deleted")

    async def _one(self, sent: SentPart, place: int, number: int) -> str:
        refused = await self._ask(methods.DeleteMessage(chat_id=self._chat, message_id=number))
        if refused != MESSAGE_STAYS:
            return "deleted"
        edit = self._edit(sent, place, number)
        refused = None if edit is None else await self._ask(edit)
        return "kept" if refused == MESSAGE_STAYS else "replaced"

    def _edit(self, sent: SentPart, place: int, number: int) -> TelegramMethod[Any] | None:
        """Return the edit that leaves the tombstone; none for a picture that says nothing.

        No keyboard is given, so that the buttons go. Of an album the first picture bears the words.
        """
        chat = self._chat
        if sent.part.method in ("sendMessage", "sendRichMessage"):
            return methods.EditMessageText(chat_id=chat, message_id=number, text=self._words)
        words = self._words if place == 0 else ""
        items = sent.part.params.get("media")
        item = items[place] if isinstance(items, list) and place < len(items) else {}
        if not words and not item.get("caption"):
            return None
        return methods.EditMessageCaption(chat_id=chat, message_id=number, caption=words)

    async def _ask(self, method: TelegramMethod[Any]) -> str | None:
        """Make one call; return why it was refused, where that is an answer."""
        await self._turn()
        try:
            await self._call(method)
        except (AiogramError, SendingError) as error:
            outcome = outcome_of(error, group=self._group)
            if isinstance(outcome, Sent):
                return None
            assert isinstance(outcome, SendError)
            if outcome.code in (MESSAGE_GONE, MESSAGE_STAYS):
                return outcome.code
            raise outcome from error
        return None
