"""The hour where each person lives."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.local_time import moment_of


@pytest.mark.parametrize(
    ("wall", "zone", "moment"),
    [
        ("2026-12-24T18:00:00", "Europe/Rome", "2026-12-24T17:00:00+00:00"),
        ("2026-12-24T18:00:00", "Pacific/Kiritimati", "2026-12-24T04:00:00+00:00"),
        ("2026-12-24T18:00:00", "America/New_York", "2026-12-24T23:00:00+00:00"),
        # The hour that is left out in spring, and the first of the two in autumn.
        ("2026-03-29T02:30:00", "Europe/Rome", "2026-03-29T01:30:00+00:00"),
        ("2026-10-25T02:30:00", "Europe/Rome", "2026-10-25T00:30:00+00:00"),
    ],
)
def test_the_clock_on_the_wall_decides(wall: str, zone: str, moment: str) -> None:
    found = moment_of(datetime.fromisoformat(wall), zone, "UTC")

    assert found == (datetime.fromisoformat(moment), False)


@pytest.mark.parametrize("zone", [None, "", "Mars/Olympus", "../../etc/passwd", "x" * 300, "\0"])
def test_a_zone_that_is_none_falls_back(zone: str | None) -> None:
    wall = datetime(2026, 12, 24, 18, tzinfo=UTC)

    assert moment_of(wall, zone, "Europe/Rome") == (wall - timedelta(hours=1), True)


@given(st.datetimes(), st.sampled_from(["Europe/Rome", "Asia/Tokyo", "America/New_York", "?"]))
def test_no_date_can_hurt(wall: datetime, zone: str) -> None:
    assert moment_of(wall, zone, "UTC")[0].tzinfo is UTC
