"""How fast one account may speak: a bucket for the account, and a wait per address.

Units: messages and seconds, on `shared.clock.ticks()`. Pure: the time is an argument.
"""

from collections import OrderedDict
from dataclasses import dataclass

from channels.base.channel import Pace

_REMEMBERED = 50_000
"""Addresses whose last messages are remembered; the oldest are forgotten first."""


@dataclass(slots=True)
class Bucket:
    """Tokens that flow in at `rate` per second, `size` at most."""

    rate: float
    size: float
    tokens: float
    filled_at: float

    def take(self, wanted: int, now: float) -> int:
        """Take up to `wanted` tokens; return how many there were."""
        self._fill(now)
        taken = min(wanted, int(self.tokens))
        self.tokens -= taken
        return taken

    def wait(self, now: float) -> float:
        """Return the seconds until there is a whole token."""
        self._fill(now)
        return 0.0 if self.tokens >= 1 else (1 - self.tokens) / self.rate

    def _fill(self, now: float) -> None:
        self.tokens = min(self.size, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now


class Pacer:
    """The pace of one lane, for as long as one process owns it.

    It begins with an empty bucket: the owner before may have used this second up.
    """

    def __init__(self, pace: Pace, *, now: float, per_second: float | None = None) -> None:
        """Keep to the platform's `pace`, or to `per_second` where the account's settings say so."""
        self.per_second = per_second or pace.per_second
        self._pace = pace
        # A tenth of a second of burst: a platform counts in windows that we do not see.
        self._all = Bucket(self.per_second, max(1.0, self.per_second / 10), 0.0, now)
        self._addresses: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, wanted: int, now: float) -> int:
        """Return how many of `wanted` messages may go now."""
        return self._all.take(wanted, now)

    def give_back(self, tokens: int) -> None:
        """Return what was not used."""
        self._all.tokens += tokens

    def wait(self, now: float) -> float:
        """Return the seconds until one more may go."""
        return self._all.wait(now)

    def address_wait(self, address: str, *, group: bool, now: float) -> float:
        """Count one message to `address`, or return the seconds until it may be written to."""
        rate = self._address_rate(group)
        if rate is None:
            return 0.0
        bucket = self._addresses.get(address)
        if bucket is None:
            size = 1.0 if group else float(self._pace.address_burst)
            bucket = self._addresses[address] = Bucket(rate, size, size, now)
            if len(self._addresses) > _REMEMBERED:
                self._addresses.popitem(last=False)
        else:
            self._addresses.move_to_end(address)
        return 0.0 if bucket.take(1, now) else bucket.wait(now)

    def _address_rate(self, group: bool) -> float | None:
        if group and self._pace.group_per_minute:
            return self._pace.group_per_minute / 60
        return 1 / self._pace.address_interval if self._pace.address_interval else None
