"""The dispatcher freezes in the middle of everything; what wakes up too late is not sent."""

import asyncio
import random

import orjson
import pytest

from tests.failures.brand import STORY
from tests.failures.checks import at_most_once, late_sends
from tests.failures.stretch import measured

pytestmark = pytest.mark.timeout(240)
GAP = "dispatcher.before_write=sleep(0..300)"
FREEZES = (1.0, 3.0, 6.2, 8.0)
"""Seconds: shorter and longer than a permission (5) and a lease (6)."""
IN_FORCE_AFTER = 6.0
"""Seconds after which a revocation is in force whatever the dispatcher does; then comes the answer:
half a second, where the machine is free."""


def in_force(log: bytes) -> list[float]:
    """How long each revocation took from its commit until it was in force: the gateway's word."""
    lines = (orjson.loads(line) for line in log.splitlines() if b"revocation.in_force" in line)
    return [line["took"] for line in lines]


async def test_what_wakes_up_too_late_is_asked_for_again(processes, brand, tell):
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    await processes.restart("dispatcher", failpoints=GAP)
    gateway_log = processes.folder / "gateway.log"
    logged = gateway_log.stat().st_size
    people = await brand.people(3_000)
    chance.shuffle(people)
    freezes = list(FREEZES)
    chance.shuffle(freezes)
    campaign = await brand.launch(STORY)
    acknowledged, waits, over = {}, [], asyncio.Event()

    async def revoke(address):
        acknowledged[address], seconds = await brand.revoke(address)
        waits.append(seconds)

    async def revoke_until_it_is_over():
        while not over.is_set():
            await revoke(people.pop())

    async with measured() as stretch, asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(revoke_until_it_is_over())
        for number, seconds in enumerate(freezes):
            await brand.progress(campaign, 200 + number * 600)
            processes.freeze("dispatcher")
            # Those whose message hangs between its intent and its write.
            for address in (await brand.in_flight())[:10]:
                if address in people:
                    people.remove(address)
                    group.create_task(revoke(address))
            await asyncio.sleep(seconds)
            processes.thaw("dispatcher")
        over.set()
    totals = await brand.finished(campaign)
    too_late = await brand.attempts("too_late")
    late = late_sends(await brand.log(), acknowledged)
    took = in_force(gateway_log.read_bytes()[logged:])
    tell(
        f"seed {seed}: frozen for {freezes}; {len(waits)} revocations, {len(late)} late, the "
        f"slowest {max(waits):.2f} s, {max(took):.2f} s from its commit (machine "
        f"×{stretch.factor:.1f}, paused for {stretch.pause:.2f} s); {too_late} attempts woke up "
        f"too late; {totals}"
    )

    assert late == []
    assert len(took) >= len(waits)
    assert max(took) <= IN_FORCE_AFTER + 0.1 * stretch.factor + stretch.pause
    assert max(waits) <= IN_FORCE_AFTER + 0.5 * stretch.factor + stretch.pause
    assert too_late > 0
    at_most_once(await brand.taken())
    # Nothing was called unknown, and who did not say no has got it.
    reached = {address for address, _ in await brand.taken()}
    assert set(people) <= reached
    assert totals["unknown"] == 0
    assert totals["sent"] == len(reached)
