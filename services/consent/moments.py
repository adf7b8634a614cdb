"""Moments as others tell them."""

from datetime import UTC, datetime


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
