"""Time: the wall clock for people and rows, the boot clock for deadlines.

Deadlines are seconds on CLOCK_BOOTTIME, which goes on while a host is suspended, so a suspended
machine cannot stretch one. Where the platform has no such clock (macOS), CLOCK_MONOTONIC stands in.
Both are shared by all processes of one host and mean nothing on another.
"""

import time
from datetime import UTC, datetime

_DEADLINES = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> datetime:
    """Return the wall-clock time, aware and in UTC."""
    return datetime.now(UTC)


def ticks() -> float:
    """Return seconds on the clock that deadlines are measured by."""
    return time.clock_gettime(_DEADLINES)
