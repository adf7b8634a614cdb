"""A model of the STOP protocol: random worlds in which no send may follow an acknowledged no.

Two people, messages of several parts in two lanes, three dispatcher processes; freezes, kills,
takeovers, lost answers, late and repeated settlements, early receipts, halts through dead
dispatchers, new grants. A mutant is the protocol with one rule removed; a model that does not
notice proves nothing about that rule.

Usage: python -m tests.model.stop_protocol [seeds]
"""

import random
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tests.model.actors import Dispatcher, Person, Revocation
from tests.model.rows import UNFINISHED, Attempt, Lane, Message, Rows

MUTANTS = {
    "no_wait": "halt waits for what is being sent",
    "halt_forgets_claimed": "halt cancels claimed messages, not only queued ones",
    "halt_touches_later_rows": "halt leaves alone what a later grant brought",
    "timeout_too_short": "an answer by the clock comes only after TTL + margin",
    "no_timeout": "an answer comes after TTL + margin at the latest",
    "no_answer_is_yes": "no answer from consent, no send",
    "requeue_without_question": "what comes back to the queue is asked for again",
    "next_part_unasked": "every part is claimed and asked for anew",
    "blind_intent": "an intent takes only what is still claimed",
    "intent_for_all_parts_at_once": "every part has an intent of its own, after the last one's end",
    "no_deadline": "nothing starts after its deadline",
    "ttl_not_in_deadline": "the deadline holds the age of the answer",
    "clock_after_answer": "the clock starts before the question, not after the answer",
    "lease_not_in_deadline": "the deadline holds the end of the lease",
    "any_epochs_lease": "only the lease of the intent's own epoch counts",
    "lease_counted_from_answer": "a lease counts from before its renewal was sent",
    "takeover_too_early": "a lane is taken over only when its lease ran out",
    "takeover_forgets_claimed": "a takeover queues again what was claimed",
    "takeover_forgets_sending": "a takeover calls unknown what was being sent",
    "unknown_is_requeued": "unknown is sent again only where the receiver removes doubles",
    "unknown_part_goes_on": "an unknown part ends its message",
    "part_not_advanced": "a settled part moves the message on to the next",
    "settled_by_message": "a settlement goes by the attempt's id, not the message's",
    "fenced_settlement": "a settlement is taken from an owner of any epoch",
    "repeat_is_counted": "a repeated settlement changes nothing, the totals included",
    "early_receipt_dropped": "a receipt that comes before its settlement is kept",
}
"""Mutant → the rule that it removes."""

SECOND_NETS = {
    "intent_ignores_epoch": (
        "the intent names its epoch",
        "an owner of an old epoch has no lease, so the deadline already stops its write",
    ),
    "stale_claim": (
        "only a lane's owner claims",
        "an owner of an old epoch has no lease, so what it claims only comes back late",
    ),
}
"""Mutants that nothing here notices → the rule, and the other rule that covers it."""

LIMITS = {
    "frozen_before_write": "no process freezes between check and write beyond TTL + margin",
}
"""What no protocol of leases can prevent, shown as a mutant: the model knows its own limit."""

KINDS = ("bare", "tells receipts", "echoes our id", "removes doubles")


@dataclass(frozen=True, slots=True)
class Weather:
    """How rough a world is: chances per step."""

    freeze: float
    kill: float
    stall: float
    ambush: float
    repeat: float
    lost: float
    slow_halt: float
    change: float


class World:
    """Everything that is true at `now`, and the platform's own log as the judge."""

    def __init__(self, seed: int, mutant: str | None = None) -> None:
        """Make the world of that seed."""
        rng = random.Random(seed)
        self.chance, self.mutant, self.now, self.sequence = rng.random, mutant, 0.0, 0
        self.rng = rng
        self.weather = Weather(
            freeze=rng.choice((0.0, 0.002, 0.01)),
            kill=rng.choice((0.0, 0.002, 0.01)),
            stall=rng.choice((0.0, 0.02, 0.1)),
            ambush=rng.choice((0.0, 0.1, 0.4)),
            repeat=0.1,
            lost=rng.choice((0.0, 0.05, 0.2)),
            slow_halt=rng.choice((0.0, 0.2, 0.6)),
            change=rng.choice((0.02, 0.06, 0.15)),
        )
        self.rows = Rows([Lane(kind) for kind in rng.sample(KINDS, 2)], mutant)
        self.people = [Person(self, number) for number in range(2)]
        self.processes = [Dispatcher(self, number) for number in range(3)]
        for process in self.processes:
            process.start()
        self.taken: Counter[tuple[Message, int]] = Counter()
        self.told: list[Attempt] = []
        self.receipts: list[tuple[float, Attempt]] = []
        self.handed_receipts: list[Attempt] = []
        self.waiting: list[Revocation] = []
        self.acknowledgements = self.by_the_clock = self.sends = 0
        for person in self.people:
            self.write_campaign(person.number, 5)

    # --- what the actors ask of their world ------------------------------------------------------

    def pick(self, count: int) -> int:
        """Choose one of so many."""
        return int(self.chance() * count)

    def write_campaign(self, person: int, count: int) -> None:
        """Queue new messages for a person, of one to three parts each."""
        for _ in range(count):
            lane, parts = self.pick(2), 1 + self.pick(3)
            self.rows.accept(Message(person, lane, parts, made=self.sequence))

    def answer(self, batch: list[Message]) -> dict[int, bool] | None:
        """Answer as consent does, or not at all."""
        if self.chance() < self.weather.lost / 2:
            return None
        return {message.person: self.people[message.person].granted for message in batch}

    def may_skip_the_question(self, message: Message) -> bool:
        """Let two mutants send on an answer of long ago."""
        retried = message.attempt is not None and message.attempt.part == message.part
        return (self.mutant == "requeue_without_question" and retried) or (
            self.mutant == "next_part_unasked" and message.part > 0
        )

    def delay_of_halt(self) -> float:
        """Return how long it takes to reach somebody who can halt."""
        return self.chance() * 15 if self.chance() < self.weather.slow_halt else 0.0

    def start_send(self, attempt: Attempt) -> tuple[float, Attempt, str]:
        """Judge a send as its first byte leaves; return when its answer comes, and which."""
        message, part = attempt.message, attempt.part
        faults = self.rows.faults
        faults["late"] += self.now > self.people[message.person].acknowledged
        faults["gap"] += any((message, before) not in self.taken for before in range(part))
        self.sends += 1
        luck = self.chance()
        lost = self.chance() < self.weather.lost
        if luck < 0.12:  # Surely not taken; when the answer is lost, nobody knows that.
            outcome = "again" if luck < 0.08 else "refused"
        else:
            outcome = "sent"
            self.take(attempt)
        delay = self.chance() ** 3 * (12 if lost else 6)
        return self.now + delay, attempt, "unknown" if lost else outcome

    def take(self, attempt: Attempt) -> None:
        """Let the platform take a part: some remove doubles, some send receipts."""
        lane = self.rows.lanes[attempt.message.lane]
        key = (attempt.message, attempt.part)
        if self.taken[key] and lane.removes_doubles:
            return
        self.taken[key] += 1
        self.rows.faults["twice"] += self.taken[key] > 1
        if lane.kind in ("tells receipts", "echoes our id"):
            self.receipts.append((self.now + self.chance() * 4, attempt))

    # --- time ------------------------------------------------------------------------------------

    def step(self, *, calm: bool = False) -> None:
        """Let a moment pass and one actor act."""
        rows = self.rows
        self.now += self.chance() * 0.1
        for revocation in self.waiting:
            revocation.acknowledge_in_time()
        luck = self.chance()
        if luck < 0.75:
            self.processes[self.pick(3)].act(calm=calm)
        elif luck < 0.95:
            self.run_person(self.people[self.pick(2)], calm=calm)
        else:
            self.hand_receipts()
        if sum(rows.totals.values()) != rows.accepted:
            rows.faults["miscounted"] += 1

    def run_person(self, person: Person, *, calm: bool) -> None:
        """Let a person live a little, and her revocations go a step further."""
        if not calm:
            person.live()
        for revocation in tuple(person.revocations):
            if revocation.steps is None:
                revocation.steps = revocation.halt()
            if next(revocation.steps, "done") == "done":
                person.revocations.remove(revocation)

    def hand_receipts(self) -> None:
        """Hand us the receipts that are due."""
        for receipt in [receipt for receipt in self.receipts if receipt[0] <= self.now]:
            self.receipts.remove(receipt)
            _, attempt = receipt
            if self.rows.lanes[attempt.message.lane].kind == "echoes our id":
                self.rows.settle(attempt, "sent")
            self.rows.note_receipt(attempt)
            self.handed_receipts.append(attempt)

    def run(self, steps: int = 700) -> "World":
        """Live through the rough part, then let all come to rest, and look at the books."""
        for _ in range(steps):
            self.step()
        for _ in range(400):
            if self.is_at_rest():
                break
            for _ in range(25):
                self.step(calm=True)
        self.audit()
        return self

    def is_at_rest(self) -> bool:
        """Whether nothing is under way any more."""
        return not (
            any(self.rows.totals[status] for status in UNFINISHED)
            or self.receipts
            or any(process.flights for process in self.processes)
            or any(person.revocations for person in self.people)
        )

    def audit(self) -> None:
        """Compare the books with the truth when all is at rest."""
        rows, faults = self.rows, self.rows.faults
        faults["lost"] += sum(message.status in UNFINISHED for message in rows.messages)
        faults["miscounted"] += +rows.totals != Counter(m.status for m in rows.messages)
        faults["untold"] += sum(a.part not in a.message.sent for a in self.told)
        faults["unmatched"] += sum(
            attempt.outcome == "sent" and attempt.part not in attempt.message.receipts
            for attempt in self.handed_receipts
        )
        for message in rows.messages:
            real = {part for part in range(message.parts) if (message, part) in self.taken}
            believed_all = message.status in ("sent", "delivered")
            faults["untrue"] += not message.sent <= real or (
                believed_all and len(real) < message.parts
            )


def survey(mutant: str | None, seeds: Iterable[int]) -> Counter[str]:
    """Run many worlds: the faults, each also as `<fault> seeds`, acknowledgements and sends."""
    found: Counter[str] = Counter()
    for seed in seeds:
        world = World(seed, mutant).run()
        found += world.rows.faults
        found += Counter(f"{fault} seeds" for fault, count in world.rows.faults.items() if count)
        found["acknowledged"] += world.acknowledgements
        found["sends"] += world.sends
    return found


FAULTS = {
    "late": "sent after the acknowledged no",
    "twice": "taken twice",
    "gap": "sent before the part before it was taken",
    "lost": "never came to an end",
    "slow": "acknowledged after TTL + margin",
    "unfair": "cancelled although a later grant brought it",
    "untold": "a settlement told was not taken",
    "untrue": "the books say sent, the platform has not got it",
    "unmatched": "a receipt was not matched",
    "miscounted": "the totals do not add up",
    "illegal": "a step that the life of a message does not know",
}


def main(seeds: int) -> None:
    """Print how many worlds show which fault: all worlds for the protocol, a tenth for mutants."""
    tell(f"{'':30}{'worlds':>8}{'acks':>8}{'sends':>8}" + "".join(f"{name:>11}" for name in FAULTS))
    for mutant in (None, *MUTANTS, *SECOND_NETS, *LIMITS):
        worlds = seeds // 10 if mutant else seeds
        found = survey(mutant, range(worlds))
        tell(
            f"{mutant or 'the protocol':30}{worlds:8}{found['acknowledged']:8}{found['sends']:8}"
            + "".join(f"{found[f'{fault} seeds']:11}" for fault in FAULTS)
        )


def tell(line: str) -> None:
    """Print a line at once, for a run of minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
