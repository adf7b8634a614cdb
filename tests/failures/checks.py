"""What must be true whatever happened: checks over totals, and over the platform's own log."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ENDS = ("sent", "delivered", "read", "refused", "unknown", "partial", "cancelled")
_NEVER = 2**63


@dataclass(frozen=True, slots=True)
class Entry:
    """One call that the platform received."""

    seq: int
    at_ns: int
    account: str
    method: str
    address: str | None
    outcome: str
    digest: str | None

    @property
    def is_message(self) -> bool:
        """It put something on a phone."""
        return self.method.startswith("send") and self.outcome == "taken"


def add_up(totals: dict[str, Any]) -> None:
    """Each message is in one state: the states add up to what was accepted."""
    states = sum(v for k, v in totals.items() if k not in ("accepted", "withheld"))
    assert states + sum(totals["withheld"].values()) == totals["accepted"], totals


def at_most_once(taken: Counter[tuple[str, str]]) -> None:
    """No part of a story came to anybody twice, says the platform."""
    assert taken, "the platform took nothing at all"
    twice = {key: times for key, times in taken.items() if times > 1}
    assert not twice, twice


def late_sends(log: Sequence[Entry], acknowledged: Mapping[str, int]) -> list[Entry]:
    """Return the messages whose first byte came after their person's no was acknowledged."""
    return [
        entry
        for entry in log
        if entry.is_message and entry.at_ns > acknowledged.get(entry.address or "", _NEVER)
    ]


def ended(totals: dict[str, Any]) -> int:
    """Return how many messages have come to an end."""
    return sum(totals[name] for name in ENDS) + sum(totals["withheld"].values())


def most_within(times_ns: Sequence[int], seconds: float = 1.0) -> int:
    """Return how many of these moments lie within the fullest window of so many seconds."""
    ordered, first, most = sorted(times_ns), 0, 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= seconds * 1e9:
            first += 1
        most = max(most, last - first + 1)
    return most
