"""Receipts move a message forward only, in whatever order they come."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dispatcher.merge import merge
from services.dispatcher.states import NEXT, Status

WORDS = ["sent", "delivered", "read", "refused"]


@pytest.mark.parametrize(
    ("status", "words", "becomes"),
    [
        ("sent", ["delivered"], "delivered"),
        ("sent", ["read"], "read"),
        ("sent", ["read", "delivered", "sent"], "read"),
        ("delivered", ["sent"], "delivered"),
        ("sent", ["refused"], "refused"),
        ("sent", ["sent", "refused"], "refused"),
        ("delivered", ["refused"], "delivered"),
        ("sent", ["refused", "delivered"], "delivered"),
        ("unknown", ["sent"], "sent"),
        ("unknown", ["delivered"], "delivered"),
        ("unknown", ["refused"], "refused"),
        ("read", ["refused"], "read"),
        ("queued", ["delivered"], "queued"),
        ("sending", ["delivered"], "sending"),
        ("cancelled", ["delivered"], "cancelled"),
        ("sent", [], "sent"),
    ],
)
def test_a_message_of_one_part(status: str, words: list[str], becomes: str) -> None:
    for order in itertools.permutations(words):
        assert merge(status, 1, [(0, word) for word in order]) == becomes


def test_only_the_last_part_speaks_for_the_message() -> None:
    assert merge("sent", 2, [(0, "read")]) == "sent"
    assert merge("sent", 2, [(0, "read"), (1, "delivered")]) == "delivered"
    assert merge("partial", 2, [(0, "delivered")]) == "partial"
    assert merge("partial", 2, [(1, "delivered")]) == "delivered"


@given(st.sampled_from(list(Status)), st.lists(st.sampled_from(WORDS), max_size=6))
def test_every_move_is_one_that_the_states_allow(status: Status, words: list[str]) -> None:
    after = merge(status, 1, [(0, word) for word in words])

    assert after == status or after in NEXT[status]


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5), st.data())
def test_one_by_one_never_gets_further_than_all_at_once(
    words: list[str], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(words))
    status: str = "sent"
    heard: list[tuple[int, str]] = []
    for word in order:
        heard.append((0, word))
        status = merge(status, 1, heard)

    at_once = merge("sent", 1, heard)
    # A refusal that was believed first stays: it is an end.
    assert status == at_once or status == "refused"
