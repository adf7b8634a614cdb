"""The protocol holds in thousands of random worlds, and each of its rules is needed."""

from collections import Counter

import pytest

from tests.model.rows import NEXT
from tests.model.stop_protocol import LIMITS, MUTANTS, World

SEEDS = 2500
PATIENCE = 1500
"""Worlds in which a mutant must show itself; the shyest one needs about 140."""


def faults_of(world: World) -> dict[str, int]:
    """Return what went wrong in a world, and how often."""
    return {fault: count for fault, count in world.rows.faults.items() if count}


def first_fault(mutant: str) -> tuple[int, dict[str, int]] | None:
    """Return the first seed in which a mutant does harm, and which."""
    for seed in range(PATIENCE):
        if faults := faults_of(World(seed, mutant).run()):
            return seed, faults
    return None


def test_the_protocol_holds_in_worlds_rough_enough() -> None:
    bad: dict[int, dict[str, int]] = {}
    ended: Counter[str] = Counter()
    acknowledged = by_the_clock = 0
    for seed in range(SEEDS):
        world = World(seed).run()
        ended += world.rows.totals
        acknowledged += world.acknowledgements
        by_the_clock += world.by_the_clock
        if faults := faults_of(world):
            bad[seed] = faults

    assert not bad, f"seeds with their faults: {bad}"
    # What the worlds went through, so that calm ones cannot pass for proof.
    assert set(+ended) == set(NEXT) - {"queued", "claimed", "sending"}
    assert acknowledged > 5 * SEEDS
    assert SEEDS / 10 < by_the_clock < acknowledged / 2


@pytest.mark.parametrize("mutant", MUTANTS)
def test_without_this_rule_it_breaks(mutant: str) -> None:
    found = first_fault(mutant)

    assert found is not None, f"{PATIENCE} worlds did not miss the rule: {MUTANTS[mutant]}"


LATE_WITHOUT = [
    "no_wait",
    "halt_forgets_claimed",
    "timeout_too_short",
    "no_answer_is_yes",
    "requeue_without_question",
    "next_part_unasked",
    "no_deadline",
    "ttl_not_in_deadline",
    "clock_after_answer",
    "lease_not_in_deadline",
    "any_epochs_lease",
    "lease_counted_from_answer",
    "takeover_too_early",
]


@pytest.mark.parametrize("mutant", LATE_WITHOUT)
def test_the_harm_is_a_message_after_the_acknowledged_no(mutant: str) -> None:
    found = first_fault(mutant)

    assert found is not None
    assert set(found[1]) == {"late"}, f"seed {found[0]}"


def test_the_limit_that_nobody_can_remove_is_known_to_the_model() -> None:
    (limit,) = LIMITS

    found = first_fault(limit)

    assert found is not None
    assert set(found[1]) == {"late"}


def test_a_seed_is_a_world() -> None:
    one, same = World(7).run(), World(7).run()

    assert (one.now, one.sends, one.rows.totals) == (same.now, same.sends, same.rows.totals)
