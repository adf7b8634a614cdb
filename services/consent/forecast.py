"""What a launch would find of those who may be written to: lots with one moment each. Pure."""

from collections import Counter
from datetime import datetime, time

from services.consent.timing import Timing
from shared.contracts.forecast import ForecastIn, Lot
from shared.local_time import moment_of

_PLANNED = range(1900, 9_000)
"""Years in which hours are looked at: beyond them a day more could lead out of the calendar."""
_Key = tuple[int, datetime, datetime, datetime | None, bool, bool]


class Lots:
    """Lots while they are filled."""

    def __init__(self, forecast: ForecastIn, clock: Timing | None) -> None:
        """Begin with none; `clock` is None where nobody has to wait."""
        self._forecast = forecast
        self._clock = clock
        self._numbers: Counter[_Key] = Counter()

    def add(
        self,
        zone: str | None,
        start: time | None,
        end: time | None,
        *,
        full: bool,
        share: int | None,
        number: int,
    ) -> None:
        """Take in people who live alike."""
        at = self._forecast.at
        due_at, fell_back = at, False
        if self._forecast.wall is not None:
            due_at, fell_back = moment_of(self._forecast.wall, zone, self._forecast.zone)
            due_at = max(due_at, at)
        opens_at, closes_at = due_at, None
        if self._clock is not None and self._clock.hours and due_at.year in _PLANNED:
            opens_at, closes_at = self._clock.open_from(due_at, zone, start, end)
        key = (share or 0, due_at, opens_at, closes_at, full, fell_back)
        self._numbers[key] += number

    def told(self) -> tuple[Lot, ...]:
        """Return the lots."""
        return tuple(
            Lot(
                number=number,
                share=share,
                due_at=due_at,
                opens_at=opens_at,
                closes_at=closes_at,
                capped=full,
                zone_fallback=fell_back,
            )
            for (share, due_at, opens_at, closes_at, full, fell_back), number in sorted(
                self._numbers.items(), key=lambda item: (item[0][2], item[0][0])
            )
        )
