"""What consent means: how far a no reaches, which yes counts, and who may be written to.

Pure: no database, no network, no clock. All the rest of the registry fetches and writes down.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from services.consent.countries import rules_of
from shared.contracts.consent import Scope
from shared.contracts.policy import BrandPolicy

Reach = Literal["account", "channel", "brand"]

MARKETING = "marketing"
SERVICE = "service"
REPLY = "reply"
MARKETING_LIKE = (MARKETING, "measuring")
"""What a revocation of more than one purpose takes; `service` only when it is named."""

PAUSE = timedelta(days=30)
"""How long a pause is for which no length was told."""
LONGEST_PAUSE = timedelta(days=366)
ASKED_ONCE_IN = timedelta(days=30)
"""Nobody is asked more often than once in so long what their words meant."""

CLOCKS_APART = timedelta(minutes=5)
"""How far ahead of ours a platform's clock may be; a later time is not believed."""

OPEN_FOR = timedelta(days=7)
"""How long a question waits for a tap, or for a START."""
WORDS_OPEN_FOR = timedelta(days=1)
"""How long it waits for a plain "yes"."""

_REACHES: Mapping[Scope, Reach] = {
    Scope.PURPOSE: "account",
    Scope.ACCOUNT: "account",
    Scope.CHANNEL: "channel",
    Scope.BRAND: "brand",
}
_SPOKEN = re.compile(r"(chat(\..+)?|button|.+\.start)\Z")


@dataclass(frozen=True, slots=True)
class Permitted:
    """Whether an address may be written to, and the reason that is told."""

    allowed: bool
    reason: str


_GRANTED = Permitted(True, "granted")
_REPLY = Permitted(True, "reply")
_NO_CONSENT = Permitted(False, "no_consent")
_PENDING = Permitted(False, "pending")
_REVOKED = Permitted(False, "revoked")
_EXPIRED = Permitted(False, "expired")
_BLOCKED = Permitted(False, "blocked")
_PAUSED = Permitted(False, "paused")
QUIET_HOURS = "quiet_hours"
CAPPED = "capped"
"""What a yes has to wait for: the answer says until when."""


@lru_cache(maxsize=1_000)
def read_rules(told: str) -> BrandPolicy:
    """Read a brand's rules from JSON; most brands have the same few."""
    return BrandPolicy.model_validate_json(told)


def permitted(
    status: str | None, *, blocked: bool, expired: bool, paused: bool = False
) -> Permitted:
    """Say whether a state permits; `None` stands for a person who never said anything.

    A no is told as a no, also during a pause: the pause is told where nothing else is in the way.
    """
    match status, blocked, expired:
        case None, _, _:
            return _NO_CONSENT
        case _, True, _:
            return _BLOCKED
        case "granted", _, False:
            return _PAUSED if paused else _GRANTED
        case "pending", _, _:
            return _PENDING
        case (("granted" | "expired"), _, _):
            return _EXPIRED
        case _:
            return _REVOKED


def reply_permitted() -> Permitted:
    """One answer to what a person wrote needs no consent: they are the one who asked."""
    return _REPLY


def purposes_asked(purpose: str) -> tuple[str, ...]:
    """Return the purposes that decide about one: a topic's own and `marketing`, which covers it.

    The state of the first one that has any decides; a revocation of either stands against a grant.
    """
    return (purpose, MARKETING) if is_topic(purpose) else (purpose,)


def waits(purpose: str) -> bool:
    """Does it keep quiet hours and caps? Whoever waits for a service or an answer, does not."""
    return purpose == MARKETING or is_topic(purpose)


def is_topic(purpose: str) -> bool:
    """Is it one `marketing.<topic>` and not all of marketing?"""
    return purpose.startswith(f"{MARKETING}.")


def spoken(source: str) -> bool:
    """Did the person say it to us on this very account, so that they can be reached there?"""
    return _SPOKEN.match(source) is not None


def held_scope(scope: Scope, *, country: str, source: str) -> Scope:
    """Return how far a revocation is held; the law of a brand's country may widen a STOP."""
    if scope is Scope.CHANNEL and spoken(source):
        return Scope(rules_of(country).stop_ends)
    return scope


def paused_scope(scope: Scope, *, country: str, source: str) -> Scope:
    """Return how far a pause is held: as a revocation, and never for one purpose alone."""
    held = held_scope(scope, country=country, source=source)
    return Scope.ACCOUNT if held is Scope.PURPOSE else held


def pause_end(now: datetime, *, days: int | None, until: datetime | None) -> datetime:
    """Return when a pause ends that was asked for so many days, or until then, or just so."""
    if until is not None:
        return min(until, now + LONGEST_PAUSE)
    return now + (PAUSE if days is None else timedelta(days=days))


def reach(scope: Scope) -> Reach:
    """Return which addresses a revocation reaches: a `purpose` is held on its own account."""
    return _REACHES[scope]


def revoked_purposes(scope: Scope, purpose: str) -> tuple[str, ...]:
    """Return the purposes a revocation takes; `marketing` stands for its topics too."""
    if scope is Scope.PURPOSE:
        return (purpose,)
    return (*MARKETING_LIKE, SERVICE) if purpose == SERVICE else MARKETING_LIKE


def believed(at: datetime | None, *, recorded_at: datetime) -> datetime | None:
    """Return a time that a caller or a platform told, or none when it cannot be true."""
    return None if at is None or at > recorded_at + CLOCKS_APART else at


def suppressed(status: str | None, *, blocked: bool, expired: bool, denied: bool) -> str | None:
    """Say why a row of a file brings no consent to this person; None where it may, or did.

    A file tells nothing newer than what a person said themselves: a no stands, wherever it reaches
    here from, and a yes that has run out is asked for again and not renewed by a list.
    """
    if blocked:
        return "blocked"
    if status == "granted" and not expired:
        return None
    if status == "revoked" or denied:
        return "revoked"
    return None if status in (None, "pending") else "expired"


def proves(source: str | None, wording: str | None) -> bool:
    """Does a row of a file say how a person agreed, and to what? A date proves nothing."""
    return bool(source and source.strip() and wording and wording.strip())


def grants_again(granted_at: datetime | None, *, denied_at: datetime | None) -> bool:
    """Does a grant count after the newest no that covers it?

    Our order is the ledger's, so a grant that tells no time is simply the later word. One that
    tells its time counts only when it is truly later: a yes that was delayed on its way must not
    undo the no that overtook it. On a tie the revocation wins.
    """
    return granted_at is None or denied_at is None or granted_at > denied_at


def double_opt_in(chosen: bool | None, *, country: str) -> bool:
    """Does a yes in a chat count only once the notice was answered?"""
    return rules_of(country).double_opt_in if chosen is None else chosen


def answers(
    *,
    asked_at: datetime,
    said_at: datetime | None,
    now: datetime,
    same_notice: bool,
    tapped: bool,
    open_until: datetime | None = None,
) -> bool:
    """Is this yes an answer to the question that waits?

    It must be said after the question and while it is open, to the notice that still holds. Words
    wait for less long than a button, which names its question: in a chat that has gone on, a "yes"
    may be meant for something else. `open_until` is the end of a question that waits for as long as
    the yes that it is about; words wait no longer for that. Platforms tell whole seconds.
    """
    until = asked_at + OPEN_FOR if open_until is None else open_until
    if not tapped:
        until = min(until, asked_at + WORDS_OPEN_FOR)
    if not same_notice or now > until:
        return False
    return said_at is None or said_at >= asked_at.replace(microsecond=0)
