"""When an account is through with what a campaign puts on it: pace, backlog, hours."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dispatcher.forecast import Load, Outlook, look_ahead

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def after(**how_long: float) -> datetime:
    return NOON + timedelta(**how_long)


def ahead(*loads: Load, per_second: float = 1.0, waiting: int = 0, deadline=None) -> Outlook:
    return look_ahead(NOON, loads, per_second=per_second, waiting=waiting, deadline=deadline)


@pytest.mark.parametrize(
    ("loads", "more", "ends", "late"),
    [
        ([], {}, {}, 0),
        ([Load(60, 1, NOON)], {}, {"seconds": 60}, 0),
        ([Load(60, 2, NOON)], {}, {"seconds": 120}, 0),
        ([Load(60, 1, NOON)], {"per_second": 30}, {"seconds": 2}, 0),
        ([Load(60, 1, NOON)], {"waiting": 60}, {"seconds": 120}, 0),
        # Who is due in an hour waits for it, and what waits now is through by then.
        ([Load(60, 1, after(hours=1))], {"waiting": 60}, {"hours": 1, "seconds": 60}, 0),
        # The other load goes in the meantime.
        (
            [Load(60, 1, after(hours=1)), Load(1_800, 1, NOON)],
            {},
            {"hours": 1, "seconds": 60},
            0,
        ),
        # Half of them before it turns quiet in half an hour, the rest tomorrow.
        (
            [Load(3_600, 1, NOON, after(minutes=30))],
            {},
            {"days": 1, "minutes": 30},
            0,
        ),
        (
            [Load(1_801, 1, NOON, after(minutes=30)), Load(60, 1, NOON)],
            {},
            {"days": 1, "seconds": 1},
            0,
        ),
        ([Load(60, 1, NOON)], {"deadline": after(seconds=40)}, {"seconds": 40}, 20),
        ([Load(60, 1, after(hours=2))], {"deadline": after(hours=1)}, {}, 60),
    ],
)
def test_it_ends_when_all_have_had_their_hour_and_their_turn(loads, more, ends, late) -> None:
    assert ahead(*loads, **more) == Outlook(after(**ends), late)


def test_what_is_too_slow_for_a_year_ends_nowhere_and_is_no_endless_loop() -> None:
    slow = Load(10**9, 1, NOON, after(seconds=2))

    assert ahead(slow, per_second=0.4).ends_at == after(days=366)


@given(
    st.lists(
        st.tuples(st.integers(0, 5_000), st.integers(1, 3), st.integers(0, 80), st.integers(1, 23)),
        max_size=6,
    ),
    st.floats(0.5, 500),
    st.integers(0, 5_000),
)
def test_nobody_is_lost_and_nothing_is_quicker_than_the_pace(loads, pace, waiting) -> None:
    made = [Load(n, p, after(hours=o), after(hours=o + c)) for n, p, o, c in loads]
    calls = sum(n * p for n, p, _, _ in loads)

    found = ahead(*made, per_second=pace, waiting=waiting)

    assert found.too_late == 0
    if calls and found.ends_at < after(days=366):
        assert found.ends_at >= NOON + timedelta(seconds=(calls + waiting) / pace - 1)
        assert all(load.number == 0 for load in made)
