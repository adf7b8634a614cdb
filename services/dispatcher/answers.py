"""What a brand's answer to a callback means, and when to come again. Pure.

2xx alone is a yes. A redirect is none: the address is what the brand gave us. 410 means that nobody
will ever want to hear from us there again.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

WAITS = tuple(
    map(
        timedelta,
        (0,) * 9,
        (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400),
    )
)
"""After the first, second, … try; after the last one we give up: three days in all."""
LONGEST_WAIT = timedelta(hours=24)
DISABLE_AFTER = timedelta(days=5)
"""Of nothing but failures."""
_GONE = 410
_ASKS_TO_WAIT = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to write down about one try."""

    status: Literal["delivered", "again", "refused"]
    wait: timedelta = timedelta()
    disable: str | None = None
    """Why the endpoint is not to be called any more."""


def judge(
    number: int,
    *,
    http_status: int | None,
    retry_after: str | None = None,
    failing_since: datetime | None,
    now: datetime,
    chance: Callable[[], float] = random.random,
) -> Judgement:
    """Decide after try `number` (from 1); `http_status` is none when there was no answer."""
    if http_status is not None and 200 <= http_status < 300:
        return Judgement("delivered")
    if http_status == _GONE:
        return Judgement("refused", disable="gone")
    dead = failing_since is not None and now - failing_since >= DISABLE_AFTER
    disable = "failing" if dead else None
    if number > len(WAITS):
        return Judgement("refused", disable=disable)
    wait = WAITS[number - 1]
    if http_status in _ASKS_TO_WAIT and retry_after is not None:
        wait = min(max(wait, read_retry_after(retry_after, now=now)), LONGEST_WAIT)
    # Up to a tenth later, so that callbacks which failed together do not come back together.
    return Judgement("again", wait=wait * (1 + chance() / 10), disable=disable)


def read_retry_after(header: str, *, now: datetime) -> timedelta:
    """Return how long the header asks to wait: seconds or a date; nothing when it is neither."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:12]), int(LONGEST_WAIT.total_seconds())))
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return timedelta()
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(timedelta(), moment - now)
