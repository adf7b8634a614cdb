"""Ids sort by time, and what follows from one cause has one id."""

from uuid import RFC_4122, UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from shared.ids import derived_id, new_id

REPLY = "019ab0c4-7c00-73dc-a2e9-5bc600c70743"
NAMES = st.text(max_size=40)


def test_new_ids_are_of_version_7_and_sort_by_time() -> None:
    made = [new_id() for _ in range(1_000)]

    assert {(each.version, each.variant) for each in made} == {(7, RFC_4122)}
    assert len(set(made)) == 1_000
    times = [each.int >> 80 for each in made]
    assert times == sorted(times)


@given(NAMES, NAMES)
def test_what_follows_is_the_same_again_and_of_its_sources_time(one: str, other: str) -> None:
    source = new_id()
    made = derived_id(source, one)

    assert made == derived_id(source, one) != derived_id(new_id(), one)
    assert (made == derived_id(source, other)) == (one == other)
    assert (made.version, made.variant, made.int >> 80) == (7, RFC_4122, source.int >> 80)


def test_it_is_the_same_for_ever() -> None:
    """Stored ids were made by this: another way would do again what was done."""
    source = UUID("019ab0c4-7c00-7000-8000-000000000001")

    assert derived_id(source, "reply") == UUID(REPLY)
    assert derived_id(derived_id(source, "reply"), "sent").version == 7


def test_a_source_without_a_time_has_ids_that_follow_too() -> None:
    source = uuid4()

    assert derived_id(source, "x") == derived_id(source, "x") != derived_id(source, "y")
    assert derived_id(source, "x").version == 5
