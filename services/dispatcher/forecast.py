"""How long an account takes for what a campaign would put on it. Pure.

A lane is taken for a queue with one pace: first what waits on it already, then whoever may be
written to, those first who are due first. When it turns quiet for some of them, they wait until the
same hour of the next day.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contracts.forecast import Lot

_DAY = timedelta(days=1)
_UNPLANNED = 9_000
"""A year from which on a day more could lead out of the calendar."""
_LONGEST = timedelta(days=366)
"""Nobody plans further ahead; what is slower than this has no end worth telling."""


@dataclass(slots=True)
class Load:
    """Messages for whom the same hours count, on one account."""

    number: int
    parts: int
    opens_at: datetime
    closes_at: datetime | None = None

    @classmethod
    def of(cls, lot: Lot, parts: int) -> "Load":
        """Return the load of a lot whose messages have so many parts."""
        return cls(lot.number, parts, lot.opens_at, lot.closes_at)

    def open_at(self, moment: datetime) -> datetime:
        """Return the first moment from this one on at which they may be written to."""
        if moment <= self.opens_at:
            return self.opens_at
        if self.closes_at is None:
            return moment
        days = (moment - self.opens_at) // _DAY
        return (
            moment if moment < self.closes_at + days * _DAY else self.opens_at + (days + 1) * _DAY
        )

    def closes_after(self, moment: datetime) -> datetime | None:
        """Return when it is quiet for them next, after a moment at which it is not."""
        if self.closes_at is None:
            return None
        return self.closes_at + max(0, (moment - self.opens_at) // _DAY) * _DAY


@dataclass(frozen=True, slots=True)
class Outlook:
    """When an account would be through, and how many it would not have begun by the deadline."""

    ends_at: datetime
    too_late: int


def look_ahead(
    begins_at: datetime,
    loads: Iterable[Load],
    *,
    per_second: float,
    waiting: int,
    deadline: datetime | None,
) -> Outlook:
    """Say when an account is through that sends so many calls per second from `begins_at` on."""
    if begins_at.year >= _UNPLANNED:
        return Outlook(begins_at, 0)
    last = begins_at + _LONGEST
    moment = min(last, begins_at + _seconds(waiting / per_second))
    left = [load for load in loads if load.number]
    ends_at, too_late = begins_at, 0
    while left and moment < last:
        load = _next(left, moment)
        moment = max(moment, load.open_at(moment))
        if deadline is not None and moment >= deadline:
            too_late += sum(each.number for each in left)
            break
        until = min((at for at in (load.closes_after(moment), deadline) if at), default=last)
        done = _begun(load, until - moment, per_second)
        moment = min(last, moment + _seconds(done * load.parts / per_second))
        if done:
            ends_at = moment
        load.number -= done
        if load.number and moment < until:
            # Not even one more fits before it closes.
            moment = until
        left = [each for each in left if each.number]
    return Outlook(last if left and moment >= last else ends_at, too_late)


def _next(left: Sequence[Load], moment: datetime) -> Load:
    return min(left, key=lambda load: (load.open_at(moment), load.opens_at))


def _begun(load: Load, stretch: timedelta, per_second: float) -> int:
    """Return how many messages can begin within a stretch: one that begins may end after it."""
    fits = int(stretch.total_seconds() * per_second / load.parts)
    return min(load.number, fits)


def _seconds(seconds: float) -> timedelta:
    return timedelta(seconds=min(seconds, _LONGEST.total_seconds()))
