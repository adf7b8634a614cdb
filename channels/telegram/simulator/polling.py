"""Receiving updates by `getUpdates`: one caller at a time, waiting up to 50 seconds."""

import asyncio
from dataclasses import dataclass, field

from channels.telegram.simulator.errors import BotApiError, conflict
from channels.telegram.simulator.state import Bot, Update

LONGEST_WAIT = 50
MOST_UPDATES = 100
WEBHOOK_ACTIVE = (
    "can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)
OTHER_CALL = (
    "terminated by other getUpdates request; make sure that only one bot instance is running"
)


@dataclass(slots=True, eq=False)
class _Waiting:
    """A call that waits for updates."""

    woken: asyncio.Event = field(default_factory=asyncio.Event)
    ended_by: BotApiError | None = None


class Polling:
    """All bots that ask for their updates."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._waiting: dict[int, _Waiting] = {}

    def wake(self, bot: Bot) -> None:
        """Tell the waiting call of this bot that there is something."""
        waiting = self._waiting.get(bot.id)
        if waiting is not None:
            waiting.woken.set()

    def end(self, bot: Bot, reason: str) -> None:
        """End the waiting call of this bot with a conflict."""
        waiting = self._waiting.pop(bot.id, None)
        if waiting is not None:
            waiting.ended_by = conflict(reason)
            waiting.woken.set()

    async def wait(self, bot: Bot, *, offset: int, limit: int, patience: int) -> list[Update]:
        """Return the updates from `offset` on and forget those before; wait if there are none."""
        if bot.webhook is not None:
            raise conflict(WEBHOOK_ACTIVE)
        self.end(bot, OTHER_CALL)
        _confirm(bot, offset)
        waiting = self._waiting[bot.id] = _Waiting()
        if not bot.updates and patience > 0:
            try:
                async with asyncio.timeout(min(patience, LONGEST_WAIT)):
                    await waiting.woken.wait()
            except TimeoutError:
                pass
            # The others of the same moment come along.
            await asyncio.sleep(0)
        if waiting.ended_by is not None:
            raise waiting.ended_by
        if self._waiting.get(bot.id) is waiting:
            del self._waiting[bot.id]
        most = limit if 0 < limit <= MOST_UPDATES else MOST_UPDATES
        return list(bot.updates.values())[:most]


def _confirm(bot: Bot, offset: int) -> None:
    """Forget what the bot has seen; a negative offset keeps only so many of the newest."""
    if offset < 0:
        forgotten = list(bot.updates)[:offset]
    else:
        forgotten = [update_id for update_id in bot.updates if update_id < offset]
    for update_id in forgotten:
        del bot.updates[update_id]
