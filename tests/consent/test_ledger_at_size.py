"""A ledger of a hundred thousand events: verified in seconds, and every mutation of it is found.

Reading the whole once for each mutation would take hours. The verifier only ever adds findings, so
it is taken up again at the last checkpoint before the first line that differs, and stopped at the
first finding.
"""

import copy
import os
import random
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import compress, count
from operator import ne
from time import process_time

import pytest

from services.consent.signers import Signers
from shared.ids import new_id
from shared.ledger import verify
from shared.ledger.verify import Key, Verification, read_head, read_key
from tests.consent import mutations
from tests.consent.ledger_exports import large
from tests.consent.mutations import MUTATIONS, Export, Lines

EVENTS = 100_000
EVERY = 100
HOW_MANY = 1_000
SEED = int(os.environ.get("PERMESSO_SEED", "20261123"))
OF_THE_WHOLE = (mutations.forge_the_whole, mutations.leave_an_event_out_and_number_anew)
"""Each of these writes the whole file anew, so there are only a few of them."""
A_FEW = 3


class Auditor:
    """Has read the true export once, and remembers where it stood at each checkpoint."""

    def __init__(self, lines: Lines, key: Key) -> None:
        self.lines = lines
        (*_, last) = mutations.of_type(lines, "checkpoint")
        self.witnessed = read_head(str(verify.read_line(lines[last])["note"]), [key])
        stood = Verification([key], [self.witnessed])
        self.stood = {0: copy.deepcopy(stood)}
        checkpoints = set(mutations.of_type(lines, "checkpoint"))
        self.seconds = 0.0
        for number, line in enumerate(lines):
            begun = process_time()
            stood.take(line)
            self.seconds += process_time() - begun
            if number in checkpoints:
                self.stood[number + 1] = copy.deepcopy(stood)
        self.findings = stood.finish()
        self.size = stood.tree.size
        self._places = sorted(self.stood)

    def finds(self, changed: Lines) -> bool:
        """Is anything found in a changed export?"""
        shorter = min(len(self.lines), len(changed))
        first = next(compress(count(), map(ne, self.lines, changed)), shorter)
        place = self._places[bisect_right(self._places, first) - 1]
        reading = copy.deepcopy(self.stood[place])
        for line in changed[place:]:
            reading.take(line)
            if reading.findings:
                return True
        return bool(reading.finish())


@pytest.fixture(scope="module")
def auditor() -> Auditor:
    brand_id = new_id()
    signer = Signers("aurora.example/ledger", "B" * 42 + "A").of(brand_id)
    lines = large(signer, brand_id, events=EVENTS, every=EVERY)
    return Auditor(Export(lines), read_key(str(signer.key)))


def mutants(lines: Lines, how_many: int) -> Iterator[tuple[str, Lines]]:
    light = [each for each in MUTATIONS if each not in OF_THE_WHOLE]
    turns = [each for each in OF_THE_WHOLE for _ in range(A_FEW)]
    turns += [light[number % len(light)] for number in range(how_many - len(turns))]
    for seed, mutation in enumerate(turns, SEED):
        changed = mutation(lines, random.Random(seed))
        while changed == lines:  # two equal lines were swapped, say
            seed += how_many
            changed = mutation(lines, random.Random(seed))
        yield f"{mutation.__name__} seed {seed}", changed


def test_a_hundred_thousand_events_are_verified(
    auditor: Auditor, tell: Callable[[str], None]
) -> None:
    tell(
        f"the verifier read {EVENTS} events under {EVENTS // EVERY} checkpoints: "
        f"{auditor.seconds:.1f} s of one processor"
    )

    assert auditor.findings == []
    assert auditor.size == EVENTS


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_one_of_a_thousand_mutations_is_found(
    auditor: Auditor, tell: Callable[[str], None]
) -> None:
    sys.stdout.write(f"PERMESSO_SEED={SEED}\n")
    begun = process_time()
    missed = [
        name for name, changed in mutants(auditor.lines, HOW_MANY) if not auditor.finds(changed)
    ]
    tell(
        f"{HOW_MANY} mutations of {EVENTS} events: {process_time() - begun:.0f} s of one processor"
    )

    assert missed == []


def test_a_verifier_that_compares_no_roots_misses_some(
    auditor: Auditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify.Tree, "fits", lambda tree, head: tree.size == head.size)
    changed = [
        mutations.change_an_event_and_its_leaf(auditor.lines, random.Random(seed))
        for seed in range(3)
    ]

    assert not all(auditor.finds(each) for each in changed)
