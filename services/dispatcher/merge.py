"""What a platform's later word makes of a message: forward only, in whatever order. Pure."""

from collections.abc import Iterable

from services.dispatcher.states import NEXT, Status

_RANK = {"refused": 0, "sent": 1, "delivered": 2, "read": 3}
_OPEN = frozenset({Status.SENT, Status.DELIVERED, Status.UNKNOWN, Status.PARTIAL})
"""The states that a receipt may change."""


def merge(status: str, parts: int, words: Iterable[tuple[int, str]]) -> Status:
    """Return the state of a message after all its receipts: (part from 0, what the platform said).

    The last part decides, because parts go in order: when it was delivered, all were taken. A
    refusal counts only while nothing better is known; parts before it were taken.
    """
    now = Status(status)
    if now not in _OPEN:
        return now
    last = [word for part, word in words if part == parts - 1]
    if not last:
        return now
    best = max(last, key=_RANK.__getitem__)
    wanted = Status(best) if best != "refused" else _refused(parts)
    if "refused" in last and best == "sent":
        wanted = _refused(parts)
    return wanted if wanted in NEXT[now] else now


def _refused(parts: int) -> Status:
    return Status.PARTIAL if parts > 1 else Status.REFUSED
