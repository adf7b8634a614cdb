"""When a wall-clock time comes where a person lives. Pure."""

from datetime import UTC, datetime
from functools import lru_cache

from shared.zones import find_zone

_FURTHEST = (2, 9_998)
"""Years beyond which a time zone could lead out of the calendar."""


@lru_cache(maxsize=8_192)
def moment_of(wall: datetime, zone: str | None, fallback: str) -> tuple[datetime, bool]:
    """Return the moment in UTC, and whether `zone` was of no use and `fallback` was taken instead.

    `wall` is read without its offset. An hour that the change to summer time leaves out comes an
    hour later by the clock, one that is there twice is its first.
    """
    place = find_zone(zone) if zone else None
    fell_back = place is None
    local = wall.replace(tzinfo=place or find_zone(fallback) or UTC, fold=0)
    if not _FURTHEST[0] <= wall.year <= _FURTHEST[1]:
        return wall.replace(tzinfo=UTC), True
    return local.astimezone(UTC), fell_back
