"""What all methods of the Bot API work on: the bots, the people, the files, the ways back."""

import secrets

from channels.base.simulator.clock import TurnableClock
from channels.base.simulator.log import CallLog
from channels.base.simulator.platform import Simulator
from channels.telegram.simulator.files import Blobs
from channels.telegram.simulator.limits import Limits
from channels.telegram.simulator.polling import Polling
from channels.telegram.simulator.state import Bot, Person, bot_id_of
from channels.telegram.simulator.webhooks import Webhooks


class Network(Simulator):
    """Telegram without its doors: the Bot API is one, the control side the other."""

    def __init__(self, *, log: CallLog | None = None, clock: TurnableClock | None = None) -> None:
        """Begin with nobody on the platform."""
        super().__init__(log=log, clock=clock)
        self.bots: dict[int, Bot] = {}
        self.people: dict[int, Person] = {}
        self.blobs = Blobs()
        self.contents: dict[tuple[int, bytes], list[bytes]] = {}
        self.limits = Limits()
        """What a bot begins with."""
        self.webhooks = Webhooks(self.clock)
        self.polling = Polling()
        self.next_person = 1_000_000_000 + secrets.randbelow(6_000_000_000)
        """The number of the next person; a new sandbox must not meet an old one's people."""

    def bot_of(self, token: str) -> Bot:
        """Return the bot of a token: every well-formed token has one."""
        return self.bot(bot_id_of(token))

    def bot(self, bot_id: int) -> Bot:
        """Return the bot with this id, made on first use."""
        found = self.bots.get(bot_id)
        if found is None:
            found = self.bots[bot_id] = Bot(bot_id, limits=self.limits)
        return found

    def forget_old_taps(self, bot: Bot) -> None:
        """Drop the taps that can no longer be answered; they stand oldest first."""
        now = self.clock.now()
        while bot.taps and (oldest := next(iter(bot.taps.items())))[1].expires_at < now:
            del bot.taps[oldest[0]]
