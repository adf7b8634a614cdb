"""The dispatcher and consent both live, and the wire between them does not: nothing leaves unasked.

What is swallowed on a wire is not refused: whoever waits for an answer waits. That is what a killed
or frozen consent cannot show.
"""

import asyncio
import time

import pytest

from tests.failures.brand import STORY
from tests.failures.checks import at_most_once, late_sends
from tests.failures.wire import a_wire

TTL = 5.0
PACE = 60
PEOPLE = 800
AWAY = 9.5
"""Seconds: a question is given up after four, and what a wrong yes let out leaves in the fifth."""
GOES_ON_WITHIN = 10.0
pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("how", ["cut", "no_answers", "refusing"])
async def test_cut_off_from_consent_nothing_leaves(processes, brand, tell, how):
    people = await brand.people(PEOPLE)
    await brand.keep_to(PACE)
    async with a_wire(processes.url("consent")) as wire:
        await wired(processes, wire)
        campaign = await brand.launch(STORY)
        await brand.progress(campaign, 100)
        await wire.be(how)
        gone_at = time.monotonic_ns()
        silent = people[-5:]
        # They reach the gateway, which has a wire of its own to consent.
        answered = await asyncio.gather(*(brand.revoke(address) for address in silent))
        await asyncio.sleep(AWAY - (time.monotonic_ns() - gone_at) / 1e9)
        await wire.be("whole")
        back_at = time.monotonic_ns()
        totals = await brand.finished(campaign)
    log = await brand.log()
    sent_at = sorted(entry.at_ns for entry in log if entry.is_message)
    after = [at for at in sent_at if gone_at < at < back_at]
    resumed = (min(at for at in sent_at if at > back_at) - back_at) / 1e9
    tell(f"{len(after)} left on answers of before, then none; went on after {resumed:.1f} s")

    assert [at for at in after if at > gone_at + TTL * 1e9] == []
    assert len(after) <= 2 * PACE
    assert resumed <= GOES_ON_WITHIN
    acknowledged = dict(zip(silent, (at for at, _ in answered), strict=True))
    assert late_sends(log, acknowledged) == []
    assert totals["sent"] + totals["cancelled"] + totals["withheld"].get("revoked", 0) == PEOPLE
    at_most_once(await brand.taken())


@pytest.mark.parametrize(("slowness", "flows"), [(1.0, True), (4.5, False)])
async def test_a_slow_answer_is_good_for_what_is_left_of_it(
    processes, brand, tell, slowness, flows
):
    """It counts from before the question: a second late leaves time to send, nine leave none."""
    await brand.people(PEOPLE)
    await brand.keep_to(PACE)
    async with a_wire(processes.url("consent"), slowness=slowness) as wire:
        await wired(processes, wire)
        campaign = await brand.launch(STORY)
        await brand.progress(campaign, 100)
        await wire.be("slow")
        slow_at = time.monotonic_ns()
        await asyncio.sleep(AWAY + TTL)
        whole_at = time.monotonic_ns()
        await wire.be("whole")
        totals = await brand.finished(campaign)
    sent_at = [entry.at_ns for entry in await brand.log() if entry.is_message]
    meanwhile = [at for at in sent_at if slow_at + TTL * 1e9 < at < whole_at]
    resumed = (min(at for at in sent_at if at > whole_at) - whole_at) / 1e9
    tell(f"{len(meanwhile)} sent while it was slow; went on after {resumed:.1f} s")

    assert bool(meanwhile) is flows
    assert resumed <= GOES_ON_WITHIN
    assert totals["sent"] == PEOPLE
    at_most_once(await brand.taken())


async def wired(processes, wire):
    """Let the dispatcher reach consent over this wire alone."""
    url = f"http://127.0.0.1:{wire.port}"
    await processes.restart("dispatcher", settings={"DISPATCHER_CONSENT_URL": url})
