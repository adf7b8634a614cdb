"""Those who act in the model: dispatcher processes, a person who says no and yes, the platform.

Each is a generator, and each `yield` a place where anything may happen before it goes on: other
actors act, its process freezes, or is killed and forgets everything.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.model.rows import LEASE, Attempt, Message

if TYPE_CHECKING:
    from tests.model.stop_protocol import World

TTL, MARGIN = 5.0, 1.0
NEVER, ALWAYS = float("-inf"), float("inf")

BUSY = (0, 0, 0, 1, 1, 2)
"""How often each task of a process gets its turn: delivering, settling, keeping lanes."""

Steps = Iterator[int | None]
"""A step that yields a person is one where her message is in danger: an ambush waits for those."""


@dataclass(slots=True, eq=False)
class Dispatcher:
    """A process that owns lanes; `leases` is what it believes: lane → (epoch, until)."""

    world: "World"
    number: int
    frozen: float = 0.0
    leases: dict[int, tuple[int, float]] = field(default_factory=dict)
    flights: list[tuple[float, Attempt, str]] = field(default_factory=list)
    tasks: list[Steps] = field(default_factory=list)
    stalled: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Begin anew, with nothing remembered."""
        self.leases, self.flights = {}, []
        self.tasks = [self.deliver(), self.settle(), self.keep_lanes()]
        self.stalled = [0.0] * len(self.tasks)

    def act(self, *, calm: bool) -> None:
        """Let one task go a step further, unless the process freezes, dies, or the task stalls."""
        world, weather = self.world, self.world.weather
        if self.frozen > world.now:
            return
        task = BUSY[world.pick(len(BUSY))]
        luck = 1.0 if calm else world.chance()
        if luck < weather.freeze:
            self.frozen = world.now + world.rng.choice((0.1, 0.5, 2, 4, 5.5, 7, 12))
        elif (luck := luck - weather.freeze) < weather.kill:
            self.start()
            self.frozen = world.now + world.chance()
        elif luck - weather.kill < weather.stall:
            slow = world.pick(len(self.tasks))
            self.stalled[slow] = world.now + world.rng.choice((0.5, 2, 4, 5.5, 7, 12))
        elif self.stalled[task] <= world.now:
            person = next(self.tasks[task])
            if person is not None and not calm and world.chance() < weather.ambush:
                self.stalled[task] = world.now + world.rng.choice((1, 3, 4, 4.5, 6.5, 8, 14))
                world.people[person].say_no()

    def keep_lanes(self) -> Steps:
        """Renew one's leases, and take over lanes whose lease ran out."""
        world, rows = self.world, self.world.rows
        while True:
            number = world.pick(len(rows.lanes))
            began = world.now
            held = self.leases.get(number)
            yield
            if held and rows.renew(number, self.number, held[0], world.now):
                epoch: int | None = held[0]
            else:
                began = world.now
                epoch = rows.take_over(number, self.number, began)
            yield
            if epoch is not None:
                # From before the request was sent: its answer may have been long on its way.
                counted = world.now if world.mutant == "lease_counted_from_answer" else began
                self.leases[number] = (epoch, counted + LEASE)
                yield

    def deliver(self) -> Steps:
        """Claim, ask, intend and write, batch after batch."""
        world, rows = self.world, self.world.rows
        while True:
            yield
            lane = world.pick(len(rows.lanes))
            if lane not in self.leases:
                continue
            epoch = self.leases[lane][0]
            batch = rows.claim(lane, self.number, epoch, sequence=world.sequence)
            if not batch:
                continue
            yield
            asked = world.now
            yield
            answer = world.answer(batch)  # Decided here; it still has to travel.
            yield batch[0].person
            if world.mutant == "clock_after_answer":
                asked = world.now
            going = self.take_answer(batch, epoch, answer)
            while going:
                attempts = rows.intend(going[:2], epoch)
                del going[:2]
                yield attempts[0].message.person if attempts else None
                for attempt in attempts:
                    in_time = world.now < self.deadline(lane, epoch, asked)
                    if world.mutant == "frozen_before_write" and world.chance() < 0.05:
                        self.frozen = world.now + world.chance() * 15
                        yield
                    if in_time:
                        self.flights.append(world.start_send(attempt))
                    else:
                        rows.settle(attempt, "again")
                    yield

    def take_answer(
        self, batch: list[Message], epoch: int, answer: dict[int, bool] | None
    ) -> list[Message]:
        """Settle what was refused; without an answer, put all of it back."""
        going = []
        for message in batch:
            if self.world.may_skip_the_question(message):
                allowed: bool | None = True
            elif answer is None:
                allowed = True if self.world.mutant == "no_answer_is_yes" else None
            else:
                allowed = answer[message.person]
            if allowed:
                going.append(message)
            elif self.world.rows.is_held(message, epoch):
                if allowed is None:
                    self.world.rows.move(message, "queued")
                else:
                    self.world.rows.end(message, "withheld")
        return going

    def deadline(self, lane: int, epoch: int, asked: float) -> float:
        """Return when nothing may start any more: the answer's age, or the lease of that epoch."""
        mutant = self.world.mutant
        if mutant == "no_deadline":
            return ALWAYS
        age = ALWAYS if mutant == "ttl_not_in_deadline" else asked + TTL
        if mutant == "lease_not_in_deadline":
            return age
        held, until = self.leases.get(lane, (0, NEVER))
        if held != epoch and mutant != "any_epochs_lease":
            return NEVER
        return min(age, until)

    def settle(self) -> Steps:
        """Settle answers as they come; now and then twice, for a commit whose answer was lost."""
        world, rows = self.world, self.world.rows
        while True:
            yield
            for flight in [flight for flight in self.flights if flight[0] <= world.now]:
                self.flights.remove(flight)
                _, attempt, outcome = flight
                fenced = rows.lanes[attempt.message.lane].epoch != attempt.epoch
                if not (fenced and world.mutant == "fenced_settlement"):
                    rows.settle(attempt, outcome)
                if outcome == "sent":
                    world.told.append(attempt)
                if world.chance() < world.weather.repeat:
                    self.flights.append((world.now + world.chance() * 5, attempt, outcome))


@dataclass(slots=True, eq=False)
class Person:
    """Someone with a consent; `acknowledged` is when her no was answered, as long as it holds."""

    world: "World"
    number: int
    granted: bool = True
    granted_by: int = 0
    acknowledged: float = ALWAYS
    revocations: list["Revocation"] = field(default_factory=list)

    def live(self) -> None:
        """Change her mind now and then, or get something new."""
        world, luck = self.world, self.world.chance()
        if luck > 0.9 and self.granted:
            world.write_campaign(self.number, 1)
        elif luck < world.weather.change and self.granted:
            self.say_no()
        elif luck < world.weather.change:
            self.say_yes()

    def say_no(self) -> None:
        """Revoke: consent commits at once, the rest follows."""
        if self.granted:
            self.world.sequence += 1
            self.granted = False
            revocation = Revocation(self, self.world.sequence, self.world.now)
            self.revocations.append(revocation)
            self.world.waiting = [*self.world.waiting, revocation]

    def say_yes(self) -> None:
        """Grant again; that brings new messages."""
        self.world.sequence += 1
        self.granted, self.granted_by = True, self.world.sequence
        self.acknowledged = ALWAYS
        self.world.write_campaign(self.number, 3)


@dataclass(slots=True, eq=False)
class Revocation:
    """A no on its way: committed by consent, halted, acknowledged at last."""

    person: Person
    sequence: int
    committed: float
    acknowledged: bool = False
    steps: Steps | None = None

    def halt(self) -> Steps:
        """Halt, perhaps through a dispatcher that is dead or frozen, and perhaps more than once."""
        world = self.person.world
        while True:
            yield
            reached = world.now + world.delay_of_halt()
            while world.now < reached:
                yield
            flying = world.rows.halt(self.person.number, self.sequence)
            yield
            while any(attempt.flying for attempt in flying) and world.mutant != "no_wait":
                yield
            self.acknowledge(world.now)
            if world.chance() < 0.9:
                return

    def acknowledge_in_time(self) -> None:
        """Answer when every answer that consent gave before has run out of time."""
        limit = {"timeout_too_short": 1.0, "no_timeout": ALWAYS}
        due = self.committed + limit.get(self.person.world.mutant or "", TTL + MARGIN)
        if self.person.world.now > due:
            self.person.world.by_the_clock += 1
            self.acknowledge(due)

    def acknowledge(self, at: float) -> None:
        """Tell the person; from here to her next yes nothing may start."""
        if self.acknowledged:
            return
        self.acknowledged = True
        world, person = self.person.world, self.person
        world.waiting = [revocation for revocation in world.waiting if revocation is not self]
        world.acknowledgements += 1
        world.rows.faults["slow"] += at > self.committed + TTL + MARGIN
        if person.granted_by < self.sequence:
            person.acknowledged = min(person.acknowledged, at)
