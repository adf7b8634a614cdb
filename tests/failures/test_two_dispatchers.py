"""Two dispatchers share a hundred lanes; one is killed, one freezes, a third joins."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

import pytest

from tests.failures.brand import STORY, Account
from tests.failures.checks import at_most_once, most_within
from tests.failures.kills import holder, takings
from tests.failures.rows import lanes_of_each, lost_in_flight
from tests.failures.stretch import measured

pytestmark = pytest.mark.timeout(420)
WINDOW = 96
TAKEN_OVER_WITHIN = 8.0
"""Seconds: a lease, the margin that others wait longer, and two looks."""
FROZEN = 10.0
RUN = 55
"""Seconds for which each lane has work at its pace."""
BEFORE_AFTER = 6.0


@dataclass(frozen=True)
class Kind:
    """Some lanes: what the platform allows them, and what their account's settings say of it."""

    lanes: int
    limit: int
    told: float | None

    @property
    def pace(self) -> float:
        """What the lane keeps to, in messages per second."""
        return self.told or 28.0


# A pace leaves room for a burst of a tenth: 28 of 30 where nothing is told, so we tell 72 of 80.
FAST = (Kind(1, 80, 72.0), Kind(2, 30, None))
LANES = 100


@dataclass(frozen=True)
class Blow:
    """What was done to one dispatcher, when (CLOCK_MONOTONIC), and which lanes it had then."""

    at_ns: int
    lanes: frozenset[str]


async def test_lanes_are_taken_over_and_no_limit_is_broken(processes, brand, tell):
    processes.start("dispatcher_2")
    await processes.ready("dispatcher_2")
    async with measured() as stretch:
        kinds, people = await a_hundred_lanes(brand, stretch)
    await balanced(brand, 2)
    campaign = await brand.launch(STORY, accounts=list(kinds))
    await expanded(brand, campaign, people)
    async with measured() as stretch:
        await asyncio.sleep(BEFORE_AFTER)
        killed = blow(processes)
        await processes.kill("dispatcher_2")
        await asyncio.sleep(TAKEN_OVER_WITHIN + BEFORE_AFTER / 2)
        processes.start("dispatcher_2")
        await processes.ready("dispatcher_2")
        await balanced(brand, 2)
        await asyncio.sleep(BEFORE_AFTER)
        frozen = blow(processes)
        processes.freeze("dispatcher_2")
        await asyncio.sleep(FROZEN)
        processes.thaw("dispatcher_2")
        processes.start("dispatcher_3")
        await processes.ready("dispatcher_3")
        shares = await balanced(brand, 3)
        totals = await brand.finished(campaign, within=180)
    log = [entry for entry in await brand.log() if entry.method.startswith("send")]
    lost = await lost_in_flight(brand, campaign)
    waits = [takeover(log, kinds, each) for each in (killed, frozen)]
    windows = {
        kind.limit: max(most_within(times(log, a)) for a, k in kinds.items() if k == kind)
        for kind in set(kinds.values())
    }
    too_fast = [entry for entry in log if entry.outcome.startswith("429")]
    lag = (await brand.control("GET", "log?limit=1"))["lag"]["maximum_ms"] / 1000
    tell(
        f"{people} people on {LANES} lanes; taken over after {worst(waits[0])} s (killed, "
        f"{len(waits[0])} lanes) and {worst(waits[1])} s (frozen, {len(waits[1])} lanes); most in "
        f"a second by limit: {windows}; {len(too_fast)} times too fast; {totals['unknown']} "
        f"unknown; lanes of three: {shares}; machine ×{stretch.factor:.1f}, the platform's clock "
        f"late by {lag:.2f} s at most"
    )

    assert too_fast == []
    for limit, most in windows.items():
        assert most <= limit + 1 + limit * lag, windows
    at_most_once(await brand.taken())
    assert totals["sent"] + totals["unknown"] == totals["accepted"] == people
    assert len(lost) <= 2 * WINDOW
    assert min(map(len, waits)) >= LANES // 4
    assert max(max(each) for each in waits) <= TAKEN_OVER_WITHIN + 1.5 * (stretch.factor - 1)


def worst(waits):
    ordered = sorted(waits)
    return f"{ordered[len(ordered) // 2]:.1f}–{ordered[-1]:.1f}"


async def a_hundred_lanes(brand, stretch):
    """Open the accounts (the brand has one too many) and make their people.

    Most lanes are slow, and slower where the machine is: what all of them want has to be there.
    """
    few = asyncio.Semaphore(10)
    kinds: dict[Account, Kind] = {}

    async def a_lane(kind):
        async with few:
            account = await brand.open_account(per_second=kind.told)
            limits = {"per_second": kind.limit, "burst": max(2, kind.limit // 3)}
            await brand.control("POST", "limits", limits, account=account)
            kinds[account] = kind
            return len(await brand.people(int(RUN * kind.pace), account=account))

    people = sum(await asyncio.gather(*(a_lane(k) for k in FAST for _ in range(k.lanes))))
    slow = Kind(LANES - len(kinds), 1, max(0.2, 0.9 / stretch.factor))
    return kinds, people + sum(await asyncio.gather(*(a_lane(slow) for _ in range(slow.lanes))))


async def expanded(brand, campaign, people):
    """Wait until everybody has a message: from then on each lane has work."""
    async with asyncio.timeout(90):
        while True:
            found = await brand.look(campaign)
            if found and found["totals"]["accepted"] == people:
                return
            await asyncio.sleep(0.1)


def blow(processes):
    """Note what the second dispatcher holds now."""
    now, at_ns = time.time(), time.monotonic_ns()
    taken = takings(processes, ("dispatcher", "dispatcher_2"))
    held = {lane for lane, each in taken.items() if holder(each, now) == "dispatcher_2"}
    return Blow(at_ns, frozenset(held))


def times(log, account):
    return [entry.at_ns for entry in log if entry.account == str(account.bot)]


def takeover(log, kinds, blow):
    """Return the seconds until each lane of the stricken one spoke again, less its own pace."""
    waits = []
    for account, kind in kinds.items():
        # What was on its way when it was struck still arrives.
        if account.id in blow.lanes:
            later = [at for at in times(log, account) if at > blow.at_ns + 1.0e9]
            if later:
                waits.append((min(later) - blow.at_ns) / 1e9 - 1 / kind.pace)
    return waits


async def balanced(brand, members, *, within=40):
    """Wait until so many dispatchers hold equal shares; return the shares."""
    found = Counter()
    try:
        async with asyncio.timeout(within):
            while True:
                found = await lanes_of_each(brand)
                counts = sorted(found.values())
                share = -(-sum(counts) // members)
                if len(counts) == members and "" not in found and counts[-1] <= share:
                    return counts
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"never balanced: {found}") from None
