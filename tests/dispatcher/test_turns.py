"""Whose messages go next: no campaign starves another, and none starves replies or is starved."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.dispatcher.turns import Turns
from shared.ids import new_id


def batch(turns: Turns, waiting: Counter, room: int) -> Counter:
    """Take one batch of what waits by campaign, as a lane does; return who got how many."""
    got: Counter = Counter()
    turns.begin([each for each in waiting if waiting[each]], room)
    while turn := turns.next(room - got.total()):
        campaign, wanted = turn
        taken = min(wanted, waiting[campaign])
        waiting[campaign] -= taken
        got[campaign] += taken
        turns.took(campaign, taken, more=taken == wanted)
    return got


@given(rooms=st.lists(st.integers(1, 60), min_size=1, max_size=80), campaigns=st.integers(2, 9))
def test_those_that_wait_get_the_same_however_small_the_batches_are(rooms, campaigns):
    turns, ids = Turns(), [new_id() for _ in range(campaigns)]
    waiting = Counter(dict.fromkeys(ids, 10_000))
    got: Counter = Counter()
    for room in rooms:
        went = batch(turns, waiting, room)
        got += went
        assert went.total() == room

    assert max(got[each] for each in ids) - min(got[each] for each in ids) <= max(rooms)


def test_a_small_campaign_beside_a_huge_one_is_done_as_if_it_had_half_the_lane():
    turns, huge, small = Turns(), new_id(), new_id()
    waiting = Counter({huge: 100_000, small: 70})
    batches = 0
    while waiting[small]:
        batch(turns, waiting, 7)
        batches += 1

    assert batches <= 21


def test_who_has_nothing_for_a_while_is_owed_nothing_for_it():
    turns, one, other = Turns(), new_id(), new_id()
    waiting = Counter({one: 1_000, other: 0})
    for _ in range(20):
        batch(turns, waiting, 10)
    waiting[other] = 1_000
    went = batch(turns, waiting, 10)

    assert went == {one: 5, other: 5}


@given(room=st.integers(1, 200))
def test_campaigns_keep_a_tenth_beside_any_number_of_single_messages(room):
    turns, campaign = Turns(), new_id()
    singles = bulk = 0
    for _ in range(200):
        first = turns.singles(room, bulk_waits=True)
        went = batch(turns, Counter({campaign: 10_000}), room - first)
        turns.bulk_took(went.total())
        singles += first
        bulk += went.total()

    assert 0.09 <= bulk / (bulk + singles) <= 0.11


def test_single_messages_have_all_of_it_where_no_campaign_waits():
    turns = Turns()

    assert [turns.singles(7, bulk_waits=False) for _ in range(30)] == [7] * 30
