"""For how long a yes is good, and when its person is asked whether to go on. Pure.

What was granted is good until the earlier of two ends: the one that was named with it, and the one
that the brand's own rules, or else its country's, give its purpose.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from services.consent.countries import rules_of
from services.consent.policy import MARKETING, is_topic, purposes_asked

RENEWED_AFTER = timedelta(days=1)
"""A yes that is younger than this gains nothing from being given again in the chat."""
LOOK_AGAIN = timedelta(days=1)
"""How often it is looked whether somebody who was out of reach can be asked now."""


def good_for(purpose: str, *, country: str, chosen: Mapping[str, int] | None) -> timedelta | None:
    """Return how long a yes to a purpose is good; None for as long as nobody takes it back.

    A brand's own word for a purpose takes the place of its country's, which is a recommendation. A
    topic follows `marketing` where it is not named itself.
    """
    days = {**rules_of(country).expires_after_days, **(chosen or {})}
    named = [days[each] for each in purposes_asked(purpose) if each in days]
    return timedelta(days=named[0]) if named else None


def end(now: datetime, *, told: datetime | None, lasts: timedelta | None) -> datetime | None:
    """Return when a yes of this moment ends: whichever comes first."""
    ends = [each for each in (told, None if lasts is None else now + lasts) if each is not None]
    return min(ends, default=None)


def renewable(since: datetime, *, now: datetime, ends: datetime | None) -> bool:
    """Would a yes that holds since then, until its end, gain anything from being given again?"""
    return ends is not None and now - since >= RENEWED_AFTER


def ask_after(purpose: str, *, lasts: timedelta, days: int | None) -> timedelta | None:
    """Return how long after a yes its person is asked whether to go on; None: they never are.

    So many days before its end, and never in the first half of its time. Only a yes to marketing
    is asked for again.
    """
    if not days or not (purpose == MARKETING or is_topic(purpose)):
        return None
    return max(lasts - timedelta(days=days), lasts / 2)


def ask_at(
    ask_at: datetime,
    *,
    now: datetime,
    ends: datetime,
    blocked: bool,
    paused: bool,
    paused_until: datetime | None,
) -> datetime | None:
    """Return when to ask somebody who was to be asked now or later; None: not before the end.

    Who is out of reach is asked once they can be, while the yes still holds. `paused_until` is none
    for a pause of which nobody knows the end.
    """
    at = max(ask_at, now)
    if blocked or paused:
        at = max(at, paused_until if paused_until is not None else now + LOOK_AGAIN)
        if blocked:
            at = max(at, now + LOOK_AGAIN)
    return at if at < ends else None
