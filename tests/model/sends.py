"""What was sent to the people of an example, held against the log of the simulated platform.

The log has every call with the moment of its first byte, so it tells what no phone does: that
something was taken twice, or before it was allowed.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any

from channels.telegram import render
from channels.telegram.simulator.call import digest

_NUMBERS = count(1)


@dataclass
class Sent:
    """One message of the brand: what the book said about it, and from when to when it was sent."""

    text: str
    account: str
    began: int
    ended: int = 0
    allowed: bool = False
    must: bool = True
    """Has it to arrive where it is allowed? One that a STOP overtakes may or may not."""

    @classmethod
    def begin(cls, account: str) -> "Sent":
        """Begin to send something that was never sent before."""
        return cls(f"Novità {next(_NUMBERS)}", account, time.monotonic_ns())

    def end(self, *, allowed: bool, must: bool) -> "Sent":
        """Note what the book says, once nothing more can come of it."""
        self.ended, self.allowed, self.must = time.monotonic_ns(), allowed, must
        return self

    @property
    def digest(self) -> str:
        part = render.text(self.text, {})
        return digest(part.method, dict(part.params), {}).hex()


def taken(log: Any, since: int, addresses: Iterable[str]) -> list[dict[str, Any]]:
    """Return the messages to these people that the platform took."""
    those = set(addresses)
    return [
        call
        for call in log.since(since, limit=1_000_000)
        if call["address"] in those
        and call["method"] == "sendMessage"
        and call["outcome"] == "taken"
    ]


def compare(calls: list[dict[str, Any]], sent: list[Sent], bots: dict[str, str]) -> None:
    """Each message that was allowed was taken once, on its account, while it was; no other was."""
    for message in sent:
        takes = [call for call in calls if call["digest"] == message.digest]
        expected = (1,) if message.allowed and message.must else (0, message.allowed)
        assert len(takes) in expected, (message, takes)
        for call in takes:
            assert call["account"] == bots[message.account], (message, call)
            assert message.began <= call["at_ns"] <= message.ended, (message, call)
