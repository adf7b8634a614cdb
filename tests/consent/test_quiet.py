"""Quiet hours: by the clock where a person lives, all that hold together, through both changes."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.consent.countries import COUNTRIES, ZONES_WITH_HOURS, country_of, rules_of
from services.consent.quiet import quiet_until, windows
from shared.contracts.clock import QuietHours
from tests.consent.consent_house import House

ROME, NEW_YORK = ZoneInfo("Europe/Rome"), ZoneInfo("America/New_York")
NIGHT = (time(21, 30), time(8, 30))
LUNCH = (time(12), time(14))


def at(zone: ZoneInfo, *parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=zone, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ((2026, 11, 22, 21, 29), None),
        ((2026, 11, 22, 21, 30), (2026, 11, 23, 8, 30)),
        ((2026, 11, 22, 23, 59), (2026, 11, 23, 8, 30)),
        ((2026, 11, 23, 0, 0), (2026, 11, 23, 8, 30)),
        ((2026, 11, 23, 8, 29), (2026, 11, 23, 8, 30)),
        ((2026, 11, 23, 8, 30), None),
        ((2026, 11, 23, 12, 0), (2026, 11, 23, 14, 0)),
        ((2026, 11, 23, 14, 0), None),
    ],
)
def test_it_is_quiet_from_the_start_until_before_the_end(now, until):
    found = quiet_until(at(ROME, *now), ROME, (NIGHT, LUNCH))

    assert found == (until and at(ROME, *until))


def test_windows_that_touch_are_one():
    siesta = (time(8, 30), time(9, 15))

    assert quiet_until(at(ROME, 2026, 11, 22, 23), ROME, (NIGHT, siesta)) == at(
        ROME, 2026, 11, 23, 9, 15
    )


def test_where_it_is_always_quiet_it_is_asked_again_a_day_later():
    day, now = (time(8, 30), time(21, 30)), at(ROME, 2026, 11, 22, 23)
    found = quiet_until(now, ROME, (NIGHT, day))

    assert found is not None
    assert timedelta(days=1) <= found - now <= timedelta(days=2)


def test_an_end_that_summer_time_leaves_out_comes_an_hour_later():
    hours = ((time(22), time(2, 30)),)
    found = quiet_until(at(ROME, 2026, 3, 28, 23), ROME, hours)

    assert found == at(ROME, 2026, 3, 29, 3, 30)


def test_an_end_that_comes_twice_is_its_first_and_then_its_second():
    hours = ((time(22), time(2, 30)),)
    evening = quiet_until(at(ROME, 2026, 10, 24, 23), ROME, hours)
    again = quiet_until(at(ROME, 2026, 10, 25, 2, 10, fold=1), ROME, hours)

    assert evening == at(ROME, 2026, 10, 25, 2, 30, fold=0)
    assert again == at(ROME, 2026, 10, 25, 2, 30, fold=1)


CLOCKS = st.builds(time, st.integers(0, 23), st.sampled_from((0, 15, 30, 45)))
WINDOWS = st.lists(
    st.tuples(CLOCKS, CLOCKS).filter(lambda pair: pair[0] != pair[1]), min_size=1, max_size=3
)


@given(
    windows=WINDOWS,
    minutes=st.integers(0, 60 * 24 * 400),
    zone=st.sampled_from(("Europe/Rome", "America/New_York", "Asia/Kolkata", "Pacific/Apia")),
)
def test_the_end_is_the_first_moment_at_which_no_window_holds(windows, minutes, zone):
    place = ZoneInfo(zone)
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)

    def is_quiet(moment: datetime) -> bool:
        clock = moment.astimezone(place).time()
        return any(
            start <= clock < end if start < end else clock >= start or clock < end
            for start, end in windows
        )

    # By looking at every quarter of an hour: all ends and all changes of clocks fall on one.
    quarters = (now + timedelta(minutes=15 * n - now.minute % 15) for n in range(1, 4 * 25))
    first = next((each for each in quarters if not is_quiet(each)), None)
    found = quiet_until(now, place, windows)
    if not is_quiet(now):
        assert found is None
    elif first is not None and first - now < timedelta(days=1):
        assert found == first
    else:
        assert found is not None


def test_the_country_where_a_person_lives_has_its_hours_whatever_the_brand_is():
    brand, own = QuietHours(start="13:00", end="14:00"), (time(18), time(19))
    law = rules_of("US").quiet_hours
    assert law is not None

    there = windows(zone="America/New_York", country="IT", brand=brand, own=own)
    here = windows(zone="Europe/Rome", country="US", brand=None, own=None)
    unknown = windows(zone=None, country="US", brand=None, own=None)

    assert there == (law.times, brand.times, own)
    assert here == ()
    assert unknown == (law.times,)


def test_a_zone_tells_its_country_and_other_names_tell_none():
    assert country_of("America/New_York") == "US"
    assert country_of("Europe/Rome") == "IT"
    assert country_of("UTC") is None
    assert country_of("Nowhere/Land") is None
    assert "America/Chicago" in ZONES_WITH_HOURS
    assert "Europe/Rome" not in ZONES_WITH_HOURS
    assert {len(code) for code in COUNTRIES} == {2}


def around_now(zone: str, *, hours: int = 2) -> dict[str, str]:
    """A window that holds now and ends in so many hours, on a full minute."""
    local = datetime.now(ZoneInfo(zone))
    start, end = local - timedelta(hours=1), local + timedelta(hours=hours)
    return {"start": f"{start:%H:%M}", "end": f"{end:%H:%M}"}


def end_of(window: dict[str, str], zone: str) -> datetime:
    local = datetime.now(ZoneInfo(zone))
    day: date = local.date()
    ends = datetime.combine(day, time.fromisoformat(window["end"]), tzinfo=ZoneInfo(zone))
    return ends if ends > local else ends + timedelta(days=1)


async def test_a_yes_waits_and_says_until_when_and_service_does_not(house: House) -> None:
    night = around_now("Europe/Rome")
    await house.rule(quiet_hours=night)
    await house.say("grant")
    await house.say("grant", purpose="service")
    await house.say("revoke", "43")
    (waits,) = await house.check("42")

    assert (waits.allowed, waits.reason) == (False, "quiet_hours")
    assert waits.until == end_of(night, "Europe/Rome")
    assert await house.answer(purpose="marketing.news") == "quiet_hours"
    assert await house.answer(purpose="service") == "granted"
    assert await house.answer("43") == "revoked"
    assert await house.answer("nobody") == "no_consent"


async def test_it_is_the_clock_where_the_person_lives_that_counts(house: House) -> None:
    """Half the world away it is no night, and in their own night nobody else's is needed."""
    await house.rule(quiet_hours=around_now("Europe/Rome"))
    for address, zone in (("a", "Pacific/Auckland"), ("b", "America/Los_Angeles")):
        person = await house.say("grant", address)
        await house.describe(person.person_id, timezone=zone)

    assert await house.answer("a") == "granted"
    # Where the law has hours, they hold too, and Los Angeles may be in its own night now.
    (there,) = await house.check("b")
    law = rules_of("US").quiet_hours
    assert law is not None
    own_night = quiet_until(datetime.now(UTC), ZoneInfo("America/Los_Angeles"), (law.times,))
    assert there.until == own_night


async def test_hours_of_a_person_hold_for_them_alone_and_can_be_taken_away(house: House) -> None:
    person = await house.say("grant")
    await house.say("grant", "43")
    window = around_now("Europe/Rome")
    told = await house.describe(person.person_id, quiet_hours=window)
    (waits,) = await house.check("42")

    assert told.quiet_hours == QuietHours(**window)
    assert (waits.reason, waits.until) == ("quiet_hours", end_of(window, "Europe/Rome"))
    assert await house.answer("43") == "granted"

    await house.describe(person.person_id, tags=("regular",))
    assert await house.answer("42") == "quiet_hours"
    await house.describe(person.person_id, quiet_hours=None)
    assert await house.answer("42") == "granted"


async def test_the_law_where_somebody_lives_holds_for_a_brand_from_elsewhere(house: House) -> None:
    """Asked of all zones of the country: at any moment the law's night is somewhere or nowhere."""
    law = rules_of("US").quiet_hours
    assert law is not None
    zones = {"1": "America/New_York", "2": "Pacific/Honolulu", "3": "America/Adak"}
    for address, zone in zones.items():
        person = await house.say("grant", address)
        await house.describe(person.person_id, timezone=zone)
    answers = await house.check(*zones)
    now = datetime.now(UTC)

    assert [each.until for each in answers] == [
        quiet_until(now, ZoneInfo(zone), (law.times,)) for zone in zones.values()
    ]


async def test_who_waits_is_eligible_and_counted_as_waiting(house: House) -> None:
    await house.rule(quiet_hours=around_now("Europe/Rome"))
    for address in ("a", "b"):
        await house.say("grant", address)
    far = await house.say("grant", "c")
    await house.describe(far.person_id, timezone="Pacific/Auckland")
    await house.say("revoke", "d")

    everyone = await house.count()
    named = await house.count("a", "c", "d", "nobody")

    assert (everyone.eligible, everyone.excluded) == (3, {"revoked": 1})
    assert everyone.deferred == {"quiet_hours": 2}
    assert (named.eligible, named.deferred) == (2, {"quiet_hours": 1})
    assert named.excluded == {"revoked": 1, "no_consent": 1}
