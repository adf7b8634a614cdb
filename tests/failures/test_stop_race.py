"""Revocations race with a running campaign: after the acknowledgement nothing starts any more."""

import asyncio
import os
import random
import statistics
import time
from collections import Counter

import pytest

from tests.failures.brand import STORY
from tests.failures.checks import at_most_once, late_sends
from tests.failures.stretch import measured

GAP = "dispatcher.before_write=sleep(0..300)"
"""Between the intent and the write, where a careless house would be overtaken."""
WIDE_GAP = "dispatcher.before_write=sleep(0..900)"
AT_ONCE = 4
"""Revocations at the same time."""
PARTS = int(os.environ.get("PERMESSO_TEST_RACES", "3"))
"""Races of 500 revocations: three by themselves, twenty before a release."""
pytestmark = pytest.mark.timeout(240)
QUICK = 500
"""Milliseconds within which 99 of 100 are acknowledged, where the machine is free."""


class Race:
    """Revokes for people whose turn in the campaign is just now, and keeps the times."""

    def __init__(self, brand, order, *, revocations, pace):
        """Revoke for some of `order`, in which the campaign goes through its audience."""
        self._order = order
        self._left = revocations
        self._pace = pace
        self._seed = random.randrange(10**6)
        self._chance = random.Random(self._seed)
        self._brand = brand
        self._reached = 0
        self.began: dict[str, int] = {}
        self.acknowledged: dict[str, int] = {}
        self.waits: list[float] = []

    def __str__(self):
        return f"seed {self._seed}, {self._pace:.0f}/s"

    async def run(self):
        """Revoke for all that were asked for, some at a time."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(over))
            async with asyncio.TaskGroup() as revoking:
                for _ in range(AT_ONCE):
                    revoking.create_task(self._revoke())
            over.set()

    async def _follow(self, over):
        """Keep up with the campaign."""
        place = {address: number for number, address in enumerate(self._order)}
        while not over.is_set():
            log = await self._brand.log()
            self._reached = max((place.get(e.address, 0) for e in log if e.is_message), default=0)
            await asyncio.sleep(0.05)

    async def _revoke(self):
        while self._left:
            self._left -= 1
            address = self._who()
            self.began[address] = time.monotonic_ns()
            self.acknowledged[address], seconds = await self._brand.revoke(address)
            self.waits.append(seconds * 1000)

    def _who(self):
        """Return somebody who will be in flight when their no arrives, or the last ones left."""
        usual = statistics.median(self.waits[-20:]) / 1000 if self.waits else 0.1
        ahead = int(self._pace * usual * self._chance.uniform(0.3, 1.3))
        start = min(self._reached + ahead, len(self._order) - self._left - 1)
        upwards = (a for a in self._order[start:] if a not in self.began)
        downwards = (a for a in reversed(self._order) if a not in self.began)
        return next(upwards, None) or next(downwards)

    def caught(self, log):
        """Count those whose message arrived at the platform while their no was carried out."""
        return sum(
            self.began[e.address] < e.at_ns < self.acknowledged[e.address]
            for e in log
            if e.is_message and e.address in self.acknowledged
        )

    def told(self):
        cuts = statistics.quantiles(self.waits, n=100)
        return (
            f"{len(self.waits)} acknowledged in {cuts[49]:.0f} ms (p50), {cuts[98]:.0f} ms (p99), "
            f"{max(self.waits):.0f} ms (max)"
        )


async def pace_for(brand, people, revocations):
    """Return the pace at which a campaign lasts as long as the revocations will, on this machine.

    Found by revoking for some who are not in it.
    """
    trial = await brand.people(20)
    began = time.monotonic()
    for start in range(0, len(trial), AT_ONCE):
        await asyncio.gather(*map(brand.revoke, trial[start : start + AT_ONCE]))
    a_second = len(trial) / (time.monotonic() - began)
    # The campaign itself slows them down.
    return max(5.0, 0.6 * people * a_second / revocations)


async def raced(brand, *, people, revocations, pace=None):
    """Run a campaign at so many messages a second, and revocations beside it."""
    pace = pace or await pace_for(brand, people, revocations)
    await brand.keep_to(pace)
    await brand.people(people)
    campaign = await brand.launch(STORY)
    order: list[str] = []
    while len(order) < people:
        order = await brand.order_of(campaign)
    race = Race(brand, order, revocations=revocations, pace=pace)
    async with measured() as stretch:
        await race.run()
    await brand.keep_to(2_000)
    return race, await brand.finished(campaign), stretch.factor


@pytest.mark.parametrize("part", range(1, PARTS + 1))
async def test_nothing_starts_after_an_acknowledged_no(processes, brand, tell, part):
    """500 revocations in each part, with the gap held open on every single send."""
    await processes.restart("dispatcher", failpoints=GAP)
    race, totals, stretch = await raced(brand, people=1_200, revocations=500)
    log = await brand.log()
    late, caught = late_sends(log, race.acknowledged), race.caught(log)
    silenced = totals["cancelled"] + totals["withheld"].get("revoked", 0)
    tell(
        f"{race}: {len(late)} late; {caught} caught in flight, {silenced} stopped before; "
        f"{race.told()}; machine ×{stretch:.1f}"
    )

    assert len(race.waits) == 500
    assert late == [], race
    at_most_once(await brand.taken())
    assert min(silenced, caught) >= 20, "there was no race at all"
    assert totals["sent"] + silenced == 1_200


async def test_the_checker_sees_a_house_that_does_not_wait(processes, brand, tell):
    """A dispatcher whose halt does not wait; the gap is wider, so that a short race shows it."""
    await processes.restart("dispatcher", failpoints=WIDE_GAP, mutant="halt_does_not_wait")
    race, _, _ = await raced(brand, people=500, revocations=200)
    late = late_sends(await brand.log(), race.acknowledged)
    tell(f"{race}: {len(late)} late sends in {len(race.waits)} revocations")

    assert len(late) >= 20, race


async def test_an_acknowledgement_is_quick(brand, tell):
    """Without the gap: what a person waits for while a campaign runs at a platform's pace."""
    race, _, stretch = await raced(brand, people=600, revocations=150, pace=28)
    tell(f"{race}: {race.told()}; machine ×{stretch:.1f}")

    assert late_sends(await brand.log(), race.acknowledged) == []
    assert statistics.quantiles(race.waits, n=100)[98] <= QUICK * stretch


async def test_a_stop_in_the_chat_is_confirmed_after_the_last_message(processes, brand, tell):
    """The confirmation is the acknowledgement: no message of the campaign comes after it."""
    await processes.restart("dispatcher", failpoints=GAP)
    people = await brand.people(600)
    campaign = await brand.launch(STORY)
    await brand.progress(campaign, 1)
    silent = people[::4]
    for address in silent:
        await brand.say(address, "STOP")
    await brand.finished(campaign, within=90)

    story = Counter(e.digest for e in await brand.log() if e.is_message).most_common(1)[0][0]
    confirmed = {}
    async with asyncio.timeout(60):
        while len(confirmed) < len(silent):
            log = [e for e in await brand.log() if e.is_message]
            confirmed = {e.address: e.at_ns for e in log if e.digest != story}
            await asyncio.sleep(0.2)
    late = late_sends([e for e in await brand.log() if e.digest == story], confirmed)
    tell(f"{len(confirmed)} confirmed, {len(late)} late")

    assert set(confirmed) == set(silent)
    assert late == []
