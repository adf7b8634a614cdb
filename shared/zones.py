"""Time zones by name."""

from functools import lru_cache
from zoneinfo import ZoneInfo


@lru_cache(maxsize=2_048)
def find_zone(name: str) -> ZoneInfo | None:
    """Return a time zone, or None for what is not the name of one."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
