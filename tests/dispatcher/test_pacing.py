"""A lane keeps to its platform's pace, whatever it is asked for."""

from hypothesis import given
from hypothesis import strategies as st

from channels.base.channel import Pace
from services.dispatcher.pacing import Pacer

TELEGRAM = Pace(per_second=30, address_interval=1.0, address_burst=3, group_per_minute=20)


def test_it_begins_with_nothing_in_hand():
    pacer = Pacer(TELEGRAM, now=100.0)

    assert pacer.take(10, 100.0) == 0
    assert 0 < pacer.wait(100.0) <= 1 / 30


def test_what_was_not_used_can_be_given_back():
    pacer = Pacer(TELEGRAM, now=0.0)
    taken = pacer.take(3, 0.1)
    pacer.give_back(taken)

    assert taken == 3
    assert pacer.take(3, 0.1) == 3


@given(steps=st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 100)), min_size=1, max_size=200))
def test_no_second_sees_more_than_the_pace_and_its_burst(steps):
    pacer, now, taken = Pacer(TELEGRAM, now=0.0), 0.0, []
    for wait, wanted in steps:
        now += wait
        taken.append((now, pacer.take(wanted, now)))

    for begin, _ in taken:
        in_second = sum(n for at, n in taken if begin <= at < begin + 1)
        assert in_second <= 30 + 3


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

    assert pacer.take(500, 0.1) == 100
