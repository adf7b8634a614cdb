"""Frequency caps: how often one person is written to, over all campaigns and channels. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.contracts.clock import LONGEST_CAP, Cap

KEPT = timedelta(days=LONGEST_CAP)
"""How long it is remembered that somebody was written to."""


def full_until(now: datetime, told: Sequence[datetime], caps: Sequence[Cap]) -> datetime | None:
    """Return when there is room for one more message; None where there is room now.

    `told` are the moments at which messages to this person were let go, the oldest first. A cap
    counts backwards from any moment, so it holds for every stretch of its length.
    """
    ends = [
        told[-cap.messages] + timedelta(days=cap.days) for cap in caps if len(told) >= cap.messages
    ]
    return max((end for end in ends if end > now), default=None)
