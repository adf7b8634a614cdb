"""A lane keeps to its platform's pace, whatever it is asked for."""

from hypothesis import given
from hypothesis import strategies as st

from channels.base.channel import Pace
from services.dispatcher.pacing import Pacer, Pacers
from shared.ids import new_id

TELEGRAM = Pace(per_second=30, address_interval=1.0, address_burst=3, group_per_minute=20)


def test_it_begins_with_nothing_in_hand():
    pacer = Pacer(TELEGRAM, now=100.0)

    assert pacer.take(10, 100.0) == 0
    assert 0 < pacer.wait(100.0) <= 1 / 28


def test_what_was_not_used_can_be_given_back():
    pacer = Pacer(TELEGRAM, now=0.0)
    taken = pacer.take(3, 0.1)
    pacer.give_back(taken)

    assert taken == 1
    assert pacer.take(3, 0.1) == 1


@given(steps=st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 100)), min_size=1, max_size=200))
def test_no_second_sees_more_than_the_pace(steps):
    pacer, now, taken = Pacer(TELEGRAM, now=0.0), 0.0, []
    for wait, wanted in steps:
        now += wait
        taken.append((now, pacer.take(wanted, now)))

    for begin, _ in taken:
        in_second = sum(n for at, n in taken if begin <= at < begin + 1)
        assert in_second <= 30


def test_one_person_gets_a_short_burst_and_then_one_a_second():
    pacer = Pacer(TELEGRAM, now=0.0)
    at_once = [pacer.address_wait("1", group=False, now=0.0) for _ in range(4)]

    assert at_once[:3] == [0.0, 0.0, 0.0]
    assert at_once[3] == 1.0
    assert pacer.address_wait("2", group=False, now=0.0) == 0.0
    assert pacer.address_wait("1", group=False, now=1.0) == 0.0


def test_a_group_gets_twenty_a_minute():
    pacer = Pacer(TELEGRAM, now=0.0)

    assert pacer.address_wait("-7", group=True, now=0.0) == 0.0
    assert pacer.address_wait("-7", group=True, now=0.0) == 3.0


def test_a_brand_with_a_higher_limit_may_say_so():
    pacer = Pacer(TELEGRAM, now=0.0, per_second=1000)

    assert pacer.take(500, 0.1) == 50


def per_second(pacer: Pacer, begin: float, seconds: int) -> list[int]:
    """How many went in each second, if somebody takes all there is every hundredth."""
    return [
        sum(pacer.take(1_000, begin + second + step / 100) for step in range(1, 101))
        for second in range(seconds)
    ]


def test_after_a_takeover_it_begins_at_half_the_pace():
    pacer = Pacer(TELEGRAM, now=0.0, careful=True)
    went = per_second(pacer, 0.0, 12)

    assert all(13 <= each <= 15 for each in went[:9])
    assert went[11] >= 28


def test_a_throttle_takes_a_part_of_the_pace_and_time_gives_it_back():
    pacer = Pacer(TELEGRAM, now=0.0)
    per_second(pacer, 0.0, 2)
    pacer.throttled(2.0)
    slower = pacer.rate(2.0)
    pacer.throttled(2.5)
    the_same_storm = pacer.rate(2.5)
    pacer.throttled(4.0)
    again = pacer.rate(4.0)

    full = 28.5  # 30, but for a burst of 1.5
    assert slower == full * 0.7
    assert slower <= the_same_storm < full * 0.71
    assert again < slower
    assert pacer.rate(4.0 + 100) == full


def test_however_many_throttles_come_something_still_goes():
    pacer = Pacer(TELEGRAM, now=0.0)
    for second in range(0, 100, 2):
        pacer.throttled(float(second))

    assert 2.85 <= pacer.rate(100.0) <= 4.3


def test_a_runner_that_begins_again_goes_on_with_the_pace_of_its_lane():
    pacers, lane = Pacers(), new_id()
    first = pacers.of(lane, 3, TELEGRAM, per_second=None, now=0.0)
    first.address_wait("-7", group=True, now=0.0)
    again = pacers.of(lane, 3, TELEGRAM, per_second=None, now=9.0)
    told = pacers.of(lane, 3, TELEGRAM, per_second=60.0, now=9.0)
    taken_over = pacers.of(lane, 5, TELEGRAM, per_second=60.0, now=9.0)

    assert again is first
    assert (first.rate(1.0), told.rate(9.1), taken_over.rate(9.1)) == (14.25, 57, 28.5)


def test_the_first_owner_of_a_lane_need_not_be_careful():
    assert Pacers().of(new_id(), 1, TELEGRAM, per_second=None, now=0.0).rate(0.0) == 28.5


def test_a_slow_lane_does_not_wait_twice_after_a_takeover():
    slow = Pacer(TELEGRAM, now=0.0, per_second=1.0, careful=True)

    assert slow.take(1, 0.0) == 0
    assert slow.wait(0.0) < 1.2
