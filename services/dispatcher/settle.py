"""From what happened to what comes next. Pure: no database, no network, no clock."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from channels.base.outcomes import (
    AccountBroken,
    BadContent,
    Moved,
    OptedOut,
    OutcomeUnknown,
    Refused,
    SendError,
    Sent,
    Throttled,
    TooLate,
    TryAgain,
)
from services.dispatcher.states import Status

BACKOFF = tuple(timedelta(seconds=s) for s in (1, 5, 30, 120, 600, 1800))
"""Waits between tries that surely were not taken; after the last one we give up."""

Outcome = Literal["sent", "refused", "again", "throttled", "too_late", "broken", "unknown"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to write down about one attempt, and what else follows from it."""

    outcome: Outcome
    status: Status
    code: str | None = None
    wait: timedelta = timedelta()
    """Before the next try."""
    advance: bool = False
    """This part is done."""
    costs_attempt: bool = True
    opted_out: bool = False
    """The person said no to the platform: consent must hear of it."""
    pause_campaign: bool = False
    """The story is wrong, not the person."""
    pause_lane: timedelta | None = None
    account_broken: bool = False


_SENT = Verdict("sent", Status.SENT, advance=True)
_NEXT_PART = Verdict("sent", Status.QUEUED, advance=True)
"""Nearly every verdict is one of these two, so they are made once."""


def settle(
    outcome: Sent | SendError,
    *,
    part: int,
    parts: int,
    tries: int,
    removes_doubles: bool = False,
    chance: Callable[[], float] = random.random,
) -> Verdict:
    """Decide what becomes of a message after attempt number `tries` (from 1) at part `part`."""
    ended = Status.PARTIAL if part else Status.REFUSED
    match outcome:
        case Sent():
            return _SENT if part + 1 >= parts else _NEXT_PART
        case Throttled(code=code, after=after, scope=scope):
            # Up to a tenth more than asked, so that lanes do not come back in step.
            wait = after * (1 + chance() / 10)
            if scope == "account":
                return Verdict(
                    "throttled", Status.QUEUED, code, pause_lane=wait, costs_attempt=False
                )
            return Verdict("throttled", Status.QUEUED, code, wait=wait, costs_attempt=False)
        case TooLate(code=code):
            return Verdict("too_late", Status.QUEUED, code, costs_attempt=False)
        case TryAgain(code=code):
            return _again(code, tries, ended, chance)
        case OutcomeUnknown(code=code) if removes_doubles:
            return _again(code, tries, ended, chance)
        case OutcomeUnknown(code=code):
            return Verdict("unknown", Status.PARTIAL if part else Status.UNKNOWN, code)
        case OptedOut(code=code):
            return Verdict("refused", ended, code, opted_out=True)
        case BadContent(code=code):
            return Verdict("refused", ended, code, pause_campaign=True)
        case Moved(code=code) | Refused(code=code):
            return Verdict("refused", ended, code)
        case AccountBroken(code=code):
            return Verdict(
                "broken",
                Status.QUEUED,
                code,
                costs_attempt=False,
                pause_lane=timedelta(minutes=1),
                account_broken=True,
            )
        case SendError(code=code):
            return Verdict("unknown", Status.PARTIAL if part else Status.UNKNOWN, code)


def _again(code: str, tries: int, ended: Status, chance: Callable[[], float]) -> Verdict:
    """Try again later, or give up after the last wait."""
    if tries > len(BACKOFF):
        return Verdict("refused", ended, code)
    wait = BACKOFF[tries - 1] * (0.5 + chance())
    return Verdict("again", Status.QUEUED, code, wait=wait)
