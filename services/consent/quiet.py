"""Quiet hours: when nobody is written to, by the clock where a person lives. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.consent.countries import country_of, rules_of
from shared.contracts.clock import QuietHours

Window = tuple[time, time]
"""From the first until before the second; over midnight where the second is earlier."""


def windows(
    *, zone: str | None, country: str, brand: QuietHours | None, own: Window | None
) -> tuple[Window, ...]:
    """Return all quiet hours of one person: the country's where they live, the brand's, their own.

    A time zone tells the country; where it does not, `country` is the brand's. None of them takes
    anything away from another.
    """
    law = rules_of(country_of(zone) or country).quiet_hours
    said = (law.times if law else None, brand.times if brand else None, own)
    return tuple(dict.fromkeys(window for window in said if window is not None))


def quiet_until(now: datetime, zone: ZoneInfo, hours: Iterable[Window]) -> datetime | None:
    """Return when it is no longer quiet, in UTC; None where it is not quiet now.

    Windows that cover the whole day end a day later: then it is asked again.
    """
    hours = tuple(hours)
    moment = now
    while moment - now < timedelta(days=1):
        local = moment.astimezone(zone)
        ends = [_end(local, window) for window in hours if _covers(window, local.time())]
        if not ends:
            break
        moment = max(ends)
    return moment if moment > now else None


def quiet_after(moment: datetime, zone: ZoneInfo, hours: Iterable[Window]) -> datetime | None:
    """Return when it is quiet next, at `moment` or within a day after it, in UTC; None for never.

    Nobody is asked whether it is quiet at `moment` already.
    """
    local = moment.astimezone(zone)
    begins = []
    for start, _ in hours:
        wall = datetime.combine(local.date(), start, tzinfo=zone)
        if wall < local:
            wall = datetime.combine(local.date() + timedelta(days=1), start, tzinfo=zone)
        begins.append(wall.astimezone(UTC))
    return min(begins, default=None)


def _covers(window: Window, clock: time) -> bool:
    start, end = window
    return start <= clock < end if start < end else clock >= start or clock < end


def _end(local: datetime, window: Window) -> datetime:
    """Return when a window ends that covers this moment.

    An hour that the change to summer time leaves out comes an hour later by the clock; of one that
    is there twice, the first is meant, unless it has passed.
    """
    start, end = window
    over_midnight = end < start and local.time() >= start
    day = local.date() + timedelta(days=1) if over_midnight else local.date()
    wall = datetime.combine(day, end, tzinfo=local.tzinfo)
    ends = wall.astimezone(UTC)
    return ends if ends > local else wall.replace(fold=1).astimezone(UTC)
