"""Moments as others tell them."""

from datetime import MAXYEAR, UTC, date, datetime

from shared.zones import find_zone


def as_utc(moment: datetime | None) -> datetime | None:
    """Return a moment in UTC; without a zone it is read as UTC, out of our calendar as none.

    Lenient, because a revocation must not be lost over a broken clock.
    """
    if moment is None:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None


def endless(moment: datetime) -> bool:
    """Is it what the driver makes of PostgreSQL's `infinity`, which compares with no other one?"""
    return moment.year == MAXYEAR


def day_in(zone: str, moment: datetime) -> date:
    """Return the day of a moment by the clocks of a time zone; in UTC where there is no such."""
    return moment.astimezone(find_zone(zone) or UTC).date()
