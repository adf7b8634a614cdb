"""Kills the parts of a house again and again, and says afterwards what each kill left in doubt."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, cycle, islice

from tests.failures.conftest import Durable
from tests.failures.rows import Lost
from tests.processes import Processes

DISPATCHERS = ("dispatcher", "dispatcher_2")
ROUND = ("dispatcher", "consent", "gateway", "postgres", "dispatcher_2", "consent", "gateway")
"""Who is killed how often, in whatever order."""
AT_ONCE = 0.4
"""The part of the kills that wait for no progress: they meet what is just coming back."""
SOON = (0.1, 1.5)
"""Seconds until such a kill."""


@dataclass(frozen=True, slots=True)
class Order:
    """A kill that is to come."""

    victim: str
    share: float
    """When so much of what is left has come to an end, which shows that all is at work; or"""
    seconds: float
    """so many seconds later, whatever is going on."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One that was: whom, and when (seconds since the epoch)."""

    victim: str
    at: float


def orders(chance: random.Random, number: int) -> list[Order]:
    """Spread kills over a campaign: all parts of the house in turn, at random points of it."""
    victims = list(islice(cycle(ROUND), number))
    chance.shuffle(victims)
    waits = [i == 0 or chance.random() >= AT_ONCE for i in range(number)]
    return [
        Order(victim, chance.uniform(0.3, 1.3) / (sum(waits[index:]) + 1), 0.0)
        if waits[index]
        else Order(victim, 0, chance.uniform(*SOON))
        for index, victim in enumerate(victims)
    ]


@dataclass(frozen=True, slots=True)
class Taking:
    """A dispatcher took a lane, says its log (seconds since the epoch)."""

    at: float
    name: str


def takings(processes: Processes, names: Sequence[str]) -> dict[str, list[Taking]]:
    """Return who took each lane when."""
    found: dict[str, list[Taking]] = {}
    for name in names:
        for line in (processes.folder / f"{name}.log").read_text().splitlines():
            if '"lane.taken"' in line:
                said = json.loads(line)
                moment = datetime.fromisoformat(said["timestamp"]).timestamp()
                found.setdefault(said["lane"], []).append(Taking(moment, name))
    return {lane: sorted(taken, key=lambda each: each.at) for lane, taken in found.items()}


def holder(taken: Sequence[Taking], moment: float) -> str | None:
    """Return who had taken a lane last at a moment."""
    return next((each.name for each in reversed(taken) if each.at <= moment), None)


@dataclass
class Killer:
    """Kills with -9, starts again at once, and remembers."""

    processes: Processes
    durable: Durable
    kills: list[Kill] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    """Those that were found ended though nobody had killed them."""
    _dying: str = ""

    async def carry_out(self, order: Order) -> None:
        """Kill, when the moment has come; of two dispatchers the one that has the more to do."""
        await asyncio.sleep(order.seconds)
        of_two = order.victim in DISPATCHERS and order.share > 0
        await self.kill(self._busier() if of_two else order.victim)

    def _busier(self) -> str:
        """Return the dispatcher that has more lanes."""
        died = {kill.victim: kill.at for kill in self.kills}
        last = [taken[-1] for taken in takings(self.processes, DISPATCHERS).values()]
        holding = Counter(each.name for each in last if each.at > died.get(each.name, 0.0))
        return max(DISPATCHERS, key=lambda name: holding[name])

    async def kill(self, victim: str) -> None:
        """Kill one and start it again; it need not be ready when this returns."""
        self._revive()
        before = time.time()
        if victim == "postgres":
            await self.durable.kill()
        else:
            self._dying = victim
            await self.processes.kill(victim)
            self.processes.start(victim)
            self._dying = ""
        self.kills.append(Kill(victim, before))

    def _revive(self) -> None:
        for name in (*DISPATCHERS, "consent", "gateway"):
            if name != self._dying and not self.processes.is_running(name):
                self.ended[name] += 1
                self.processes.start(name)

    async def watch(self) -> None:
        """Start what has ended by itself, as whoever watches over processes does."""
        while True:
            self._revive()
            await asyncio.sleep(0.5)

    def blame(self, lost: Sequence[Lost]) -> tuple[Counter[Kill], list[Lost]]:
        """Count what each kill left in doubt; return what no kill explains, too.

        Who intended a message is whose log says that it had taken the lane; the kill is the first
        of it that came after, or that of PostgreSQL where the dispatcher went on living.
        """
        taken = takings(self.processes, DISPATCHERS)
        counted: Counter[Kill] = Counter()
        unexplained = []
        for each in lost:
            kill = self._killed(taken.get(each.account_id, []), each)
            if kill is None:
                unexplained.append(each)
            else:
                counted[kill] += 1
        return counted, unexplained

    def _killed(self, taken: Sequence[Taking], lost: Lost) -> Kill | None:
        owner = holder(taken, lost.intended_at + 0.001)
        after = [kill for kill in self.kills if kill.at >= lost.intended_at - 0.001]
        of_owner = (kill for kill in after if kill.victim == owner)
        of_postgres = (kill for kill in after if kill.victim == "postgres")
        return next(chain(of_owner, of_postgres), None)
