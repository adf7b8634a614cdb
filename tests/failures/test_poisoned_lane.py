"""The wire to one bot is poisoned, or its platform answers after half a minute: that is its own."""

import asyncio
import os
import time

import pytest

from tests.failures.brand import STORY
from tests.failures.checks import at_most_once
from tests.failures.sessions import watched_sessions
from tests.failures.stretch import measured
from tests.failures.toxic import TOXICS, a_toxic_wire

SECONDS = float(os.environ.get("PERMESSO_TEST_TOXIC", "5"))
"""Of each poison."""
pytestmark = pytest.mark.timeout(300 + 10 * SECONDS)
LANES, PACE = 4, 12
"""Healthy ones, and what each keeps to in a second: much less than the house can do."""
HASTE = 60
"""What the poisoned lane would do if it could."""
KEPT = 0.9
"""What is left to the others of what they do beside a healthy lane."""
SLOW = 30.0
"""Seconds to an answer: as long as we wait for one."""
WINDOW = 96
POOLS = 2 * 16 + 2
"""Connections: two kinds of sixteen, and the heart's two."""
LONGEST_TRANSACTION = 1.0
GROWN = 1.1


async def test_the_others_go_on_as_if_nothing_were(processes, brand, tell):
    async with a_toxic_wire(processes.url("sandbox")) as toxic:
        await allowed(processes, toxic.port)
        await people_of_all_lanes(brand, toxic)
        campaign = await brand.launch(STORY, accounts=brand.accounts)
        await everybody_has_begun(brand)
        async with watched_sessions(brand) as sessions, measured() as stretch:
            usual = await rate(brand, 2 * SECONDS)
            memory = processes.memory("dispatcher")
            rates = {}
            for toxic.how in TOXICS:
                rates[toxic.how] = await rate(brand, SECONDS)
            toxic.how, slow_at = "clean", time.monotonic_ns()
            slow = {"fault": "slow", "seconds": SLOW}
            await brand.control("POST", "faults", slow, account=brand.accounts[-1])
            rates["half a minute"] = await rate(brand, 2 * SECONDS)
            grown = processes.memory("dispatcher") / memory
            await brand.control("DELETE", "faults")
        totals = await brand.finished(campaign, within=150)
    log = await brand.log()
    healthy = {str(account.bot) for account in brand.accounts[:-1]}
    hung = [e for e in log if e.account == str(brand.accounts[-1].bot) and slow_at < e.at_ns]
    unwell = [e for e in log if e.account in healthy and e.outcome != "taken"]
    kept = {how: round(found / usual, 2) for how, found in rates.items()}
    tell(
        f"of {usual:.0f} a second beside a healthy lane: {kept}; {totals['unknown']} unknown, all "
        f"on the poisoned lane; {sessions.most} connections at most, no transaction longer than "
        f"{sessions.longest:.2f} s; memory ×{grown:.2f} of {memory:.0f} MB (machine "
        f"×{stretch.factor:.1f})"
    )

    assert len(hung) >= WINDOW // 3, "there was nobody to wait half a minute for"
    assert unwell == []
    assert {how: share for how, share in kept.items() if share < KEPT} == {}
    assert grown <= GROWN
    assert sessions.most <= POOLS
    assert sessions.longest <= LONGEST_TRANSACTION * stretch.factor
    assert totals["sent"] + totals["unknown"] == totals["accepted"]
    assert totals["unknown"] > 0, "no poison did anything"
    at_most_once(await brand.taken())


async def allowed(processes, port):
    """Let the dispatcher go where the wire begins."""
    hosts = [processes.url("sandbox").removeprefix("http://"), f"127.0.0.1:{port}"]
    await processes.restart(
        "dispatcher", settings={"DISPATCHER_ALLOWED_ADDRESSES": ",".join(hosts)}
    )


async def people_of_all_lanes(brand, toxic):
    """Give each lane work for the whole of the test; the last one is the poisoned one."""
    await brand.keep_to(PACE)
    while len(brand.accounts) < LANES:
        await brand.open_account(per_second=PACE)
    for account in brand.accounts:
        await brand.people(int(PACE * (SECONDS * (len(TOXICS) + 4) + 15)), account=account)
    base = f"http://127.0.0.1:{toxic.port}"
    sick = await brand.open_account(per_second=HASTE, api_base=base)
    await brand.people(int(HASTE * SECONDS * (len(TOXICS) + 5)), account=sick)


async def everybody_has_begun(brand):
    bots = {str(account.bot) for account in brand.accounts}
    async with asyncio.timeout(60):
        while {e.account for e in await brand.log() if e.is_message} != bots:
            await asyncio.sleep(0.1)


async def rate(brand, seconds):
    """Return what the healthy lanes send in a second, from now on for so long."""
    began = time.monotonic_ns()
    await asyncio.sleep(seconds)
    ended = time.monotonic_ns()
    healthy = {str(account.bot) for account in brand.accounts[:-1]}
    sent = [e for e in await brand.log() if e.is_message and e.account in healthy]
    return sum(began < e.at_ns < ended for e in sent) / ((ended - began) / 1e9)
