"""Moments as others tell them."""

from datetime import MAXYEAR, UTC, date, datetime
from typing import Final

from shared.zones import find_zone

_FIRST: Final = datetime(1900, 1, 1, tzinfo=UTC)
"""Nothing that is told here is older; and from here on every year has four digits."""
_LAST: Final = datetime(MAXYEAR, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The driver takes the very last microsecond for PostgreSQL's `infinity`, as it takes the very
first one for `-infinity`; those come back as moments without a zone."""


def as_utc(moment: datetime | None) -> datetime | None:
    """Return a moment in UTC; without a zone it is read as UTC, out of our calendar as none.

    Lenient, because a revocation must not be lost over a broken clock.
    """
    if moment is None:
        return None
    try:
        told = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None
    return min(told, _LAST) if told >= _FIRST else None


def endless(moment: datetime) -> bool:
    """Is it what the driver makes of PostgreSQL's `infinity`, which compares with no other one?"""
    return moment.year == MAXYEAR


def day_in(zone: str, moment: datetime) -> date:
    """Return the day of a moment by the clocks of a time zone; in UTC where there is no such."""
    return moment.astimezone(find_zone(zone) or UTC).date()
