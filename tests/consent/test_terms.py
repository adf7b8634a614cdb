"""How long a yes is good, and when to ask whether to go on: tables of cases."""

from datetime import UTC, datetime, timedelta

import pytest

from services.consent import policy, terms

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OWN = {"marketing": 730, "marketing.events": 90, "measuring": 30}


@pytest.mark.parametrize(
    ("purpose", "country", "chosen", "days"),
    [
        ("marketing", "IT", None, None),
        ("marketing", "FR", None, 1095),
        ("marketing.news", "FR", None, 1095),
        ("service", "FR", None, None),
        ("measuring", "FR", None, None),
        ("marketing", "FR", {}, 1095),
        ("marketing", "IT", OWN, 730),
        ("marketing", "FR", OWN, 730),
        ("marketing.news", "FR", OWN, 730),
        ("marketing.events", "IT", OWN, 90),
        ("marketing.events", "FR", {"marketing.events": 3_650}, 3_650),
        ("marketing", "FR", {"marketing.events": 3_650}, 1095),
        ("measuring", "IT", OWN, 30),
        ("service", "IT", OWN, None),
        ("service", "IT", {"service": 10}, 10),
        ("marketing", "XX", None, None),
    ],
)
def test_a_brands_own_word_for_a_purpose_takes_the_place_of_its_countrys(
    purpose: str, country: str, chosen: dict[str, int] | None, days: int | None
) -> None:
    lasts = terms.good_for(purpose, country=country, chosen=chosen)

    assert lasts == (None if days is None else timedelta(days=days))


@pytest.mark.parametrize(
    ("told", "lasts", "ends"),
    [
        (None, None, None),
        (NOON + DAY, None, NOON + DAY),
        (None, DAY, NOON + DAY),
        (NOON + DAY, 2 * DAY, NOON + DAY),
        (NOON + 2 * DAY, DAY, NOON + DAY),
        (NOON - DAY, DAY, NOON - DAY),
    ],
)
def test_the_earlier_end_holds(
    told: datetime | None, lasts: timedelta | None, ends: datetime | None
) -> None:
    assert terms.end(NOON, told=told, lasts=lasts) == ends


@pytest.mark.parametrize(
    ("purpose", "lasts", "days", "after"),
    [
        ("marketing", 730, 30, 700),
        ("marketing.news", 730, 30, 700),
        ("marketing", 60, 30, 30),
        ("marketing", 40, 30, 20),
        ("marketing", 2, 90, 1),
        ("marketing", 730, 0, None),
        ("marketing", 730, None, None),
        ("service", 730, 30, None),
        ("measuring", 730, 30, None),
    ],
)
def test_it_is_asked_before_the_end_and_never_in_the_first_half(
    purpose: str, lasts: int, days: int | None, after: float | None
) -> None:
    found = terms.ask_after(purpose, lasts=lasts * DAY, days=days)

    assert found == (None if after is None else after * DAY)


@pytest.mark.parametrize(
    ("at", "blocked", "paused", "until", "asked"),
    [
        (-1, False, False, None, 0),
        (3, False, False, None, 3),
        (-1, False, True, 5, 5),
        (-1, False, True, None, 1),
        (-1, True, False, None, 1),
        (-1, True, True, 5, 5),
        (3, True, False, None, 3),
        (-1, False, True, 10, None),
        (-1, False, True, 11, None),
        (9.5, True, False, None, 9.5),
    ],
)
def test_who_is_out_of_reach_is_asked_once_they_are_back_and_not_after_the_end(
    at: float, blocked: bool, paused: bool, until: float | None, asked: float | None
) -> None:
    found = terms.ask_at(
        NOON + at * DAY,
        now=NOON,
        ends=NOON + 10 * DAY,
        blocked=blocked,
        paused=paused,
        paused_until=None if until is None else NOON + until * DAY,
    )

    assert found == (None if asked is None else NOON + asked * DAY)


@pytest.mark.parametrize(
    ("since", "ends", "gains"),
    [
        (NOON - DAY, NOON + DAY, True),
        (NOON - DAY, None, False),
        (NOON - timedelta(hours=23), NOON + DAY, False),
    ],
)
def test_a_yes_without_an_end_or_of_today_gains_nothing_from_another(
    since: datetime, ends: datetime | None, gains: bool
) -> None:
    assert terms.renewable(since, now=NOON, ends=ends) is gains


@pytest.mark.parametrize(
    ("asked", "open_until", "tapped", "holds"),
    [
        (8, None, True, False),
        (7, None, True, True),
        (8, 0.1, True, True),
        (60, 0, True, True),
        (60, -0.1, True, False),
        (1, 20, False, True),
        (1.1, 20, False, False),
        (0.5, -0.1, False, False),
    ],
)
def test_a_refresh_waits_for_a_tap_until_the_yes_ends_and_for_words_one_day(
    asked: float, open_until: float | None, tapped: bool, holds: bool
) -> None:
    answered = policy.answers(
        asked_at=NOON - asked * DAY,
        said_at=NOON,
        now=NOON,
        same_notice=True,
        tapped=tapped,
        open_until=None if open_until is None else NOON + open_until * DAY,
    )

    assert answered is holds
