"""How fast one account may speak: a bucket for the account, and a wait per address.

Units: messages and seconds, on `shared.clock.ticks()`. Pure: the time is an argument.
"""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from channels.base.channel import Pace

CAREFUL_SECONDS = 10.0
CAREFUL_PART = 0.5
SLOW = 2.0
"""Messages per second of a lane that need not be careful: its empty bucket holds it up enough."""
KEPT = 0.7
"""What a throttle leaves of the pace, ..."""
SLOWEST = 0.1
"""... never less than this part of it; ..."""
REGAINED = 0.01
"""... and each second without one gives back so much of it."""
ONE_STORM = 1.0
"""Seconds in which what was on its way may be refused as well."""
FORGOTTEN = 600.0
"""Seconds without use after which a lane's pacer has nothing to say any more."""
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

    It begins with an empty bucket, and `careful` at half the pace: the owner before may have used
    this second up, and a platform counts in windows that we do not see. What the platform itself
    says is learnt: a throttle takes a part of the pace away, and time without one gives it back.
    """

    def __init__(
        self, pace: Pace, *, now: float, per_second: float | None = None, careful: bool = False
    ) -> None:
        """Keep to the platform's `pace`, or to `per_second` where the account's settings say so."""
        self.per_second = per_second or pace.per_second
        self._pace = pace
        careful = careful and self.per_second > SLOW
        self._careful_until = now + CAREFUL_SECONDS if careful else now
        self._lost = 0.0
        """The part of the pace that throttles took away, at `_lost_at`."""
        self._lost_at = now
        # What may go at once comes off what flows in: however a platform lays its seconds, none
        # sees more than the pace, or than one more where that is less than ten.
        burst = max(1.0, self.per_second / 20)
        self._full = max(self.per_second - burst, 0.9 * self.per_second)
        self._all = Bucket(self.rate(now), burst, 0.0, now)
        self._addresses: OrderedDict[str, Bucket] = OrderedDict()

    def rate(self, now: float) -> float:
        """Return how many messages per second may go now."""
        rate = self._full * (1 - self._lost_now(now))
        return rate * CAREFUL_PART if now < self._careful_until else rate

    def take(self, wanted: int, now: float) -> int:
        """Return how many of `wanted` messages may go now."""
        taken = self._all.take(wanted, now)
        self._all.rate = self.rate(now)
        return taken

    def give_back(self, tokens: int) -> None:
        """Return what was not used."""
        self._all.tokens += tokens

    def wait(self, now: float) -> float:
        """Return the seconds until one more may go."""
        return self._all.wait(now)

    def throttled(self, now: float) -> None:
        """The platform said that this was too fast. Of several that say so at once, one counts."""
        if self._lost and now < self._lost_at + ONE_STORM:
            return
        kept = (1 - self._lost_now(now)) * KEPT
        self._lost, self._lost_at = 1 - max(SLOWEST, kept), now
        self._all.rate = self.rate(now)
        self._all.tokens = 0.0

    def _lost_now(self, now: float) -> float:
        return max(0.0, self._lost - (now - self._lost_at) * REGAINED)

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


@dataclass(slots=True)
class _Kept:
    """A lane's pacer, for whom it was made, and when it was last asked for."""

    epoch: int
    told: float | None
    pacer: Pacer
    used_at: float


class Pacers:
    """The pacers of this process, by lane: a runner that ends and begins again goes on with its."""

    def __init__(self) -> None:
        """Have none."""
        self._kept: dict[UUID, _Kept] = {}

    def of(
        self, lane_id: UUID, epoch: int, pace: Pace, *, per_second: float | None, now: float
    ) -> Pacer:
        """Return a lane's pacer under this epoch; a new one where the brand changed its pace."""
        known = self._kept.get(lane_id)
        if known is not None and (known.epoch, known.told) == (epoch, per_second):
            known.used_at = now
            return known.pacer
        # Somebody had the lane before us, if it is not its first epoch.
        careful = epoch > 1 and (known is None or known.epoch != epoch)
        made = Pacer(pace, now=now, per_second=per_second, careful=careful)
        self._kept = {i: k for i, k in self._kept.items() if now - k.used_at < FORGOTTEN}
        self._kept[lane_id] = _Kept(epoch, per_second, made, now)
        return made
