"""How fast the platform lets a bot speak.

The defaults are what Telegram publishes (core.telegram.org/bots/faq): about 30 messages a second
for a bot, one a second to a chat, 20 a minute to a group. "Short bursts" to one chat are let
through there without a number; five is ours. Who is too fast is told to wait whole seconds, and
until they are over everything in that scope is refused, as a flood wait is.
"""

import math
from dataclasses import dataclass

ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one bot; 0 takes a limit away."""

    per_second: float = 30.0
    burst: int = 30
    chat_per_second: float = 1.0
    chat_burst: int = 5
    group_per_minute: float = 20.0
    paid_per_second: float = 0.0
    """With `allow_paid_broadcast`; 0: the bot's owner never turned it on."""
    album_counts_items: bool = False
    """Whether an album counts once or once for each of its items; Telegram does not say."""
    changes_count: bool = False
    """Whether an edit or a deletion counts as a message; Telegram does not say."""
    upload_spacing: bool = False
    """Space uploads over 100 kB of the same total size, as the hosted service does."""
    https_only: bool = False
    """Refuse plain HTTP webhooks, as the hosted service does and a local server does not."""
    answer_after: float = 0.0
    """Seconds between reading a call and taking it: the platform's own pace."""


@dataclass(slots=True)
class Meter:
    """Counts one scope by the moment at which all it took would have been due (GCRA)."""

    due: float = 0.0
    closed_until: float = 0.0
    """Who was told to wait is refused until then, and asking again does not make it longer."""

    def wait(self, now: float, *, interval: float, burst: int) -> int:
        """Return 0 when there is room, else the whole seconds to wait, and close until then."""
        if now < self.closed_until:
            return math.ceil(self.closed_until - now - ROUNDING)
        ahead = self.due - now - (burst - 1) * interval
        if ahead <= ROUNDING:
            return 0
        seconds = math.ceil(ahead - ROUNDING)
        self.closed_until = now + seconds
        return seconds

    def count(self, now: float, *, interval: float, messages: int = 1) -> None:
        """Count messages that were taken."""
        self.due = max(self.due, now) + interval * messages


def too_fast(
    limits: Limits,
    *,
    bot: Meter,
    chat: Meter,
    group: bool,
    paid: bool,
    messages: int,
    now: float,
) -> int:
    """Count a call, or return the seconds to wait for it."""
    per_second, burst = limits.per_second, limits.burst
    if paid and limits.paid_per_second:
        per_second, burst = limits.paid_per_second, max(burst, int(limits.paid_per_second))
    chat_interval, chat_burst = _chat_pace(limits, group=group)
    bot_interval = 1 / per_second if per_second else 0.0
    wait = bot.wait(now, interval=bot_interval, burst=burst) if bot_interval else 0
    if not wait and chat_interval:
        wait = chat.wait(now, interval=chat_interval, burst=chat_burst)
    if wait:
        return wait
    if bot_interval:
        bot.count(now, interval=bot_interval, messages=messages)
    if chat_interval:
        chat.count(now, interval=chat_interval, messages=messages)
    return 0


def _chat_pace(limits: Limits, *, group: bool) -> tuple[float, int]:
    if group:
        interval = 60 / limits.group_per_minute if limits.group_per_minute else 0.0
        return interval, max(1, int(limits.group_per_minute))
    interval = 1 / limits.chat_per_second if limits.chat_per_second else 0.0
    return interval, limits.chat_burst
