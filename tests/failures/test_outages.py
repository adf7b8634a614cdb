"""A part of the house is away for a while: nothing wrong leaves, and nothing is lost."""

import asyncio
import time

import pytest

from tests.failures.brand import STORY
from tests.failures.checks import at_most_once, late_sends
from tests.failures.stretch import measured

TTL = 5.0
PACE = 60
"""Messages a second: slow enough for an outage to find most of them waiting."""
PEOPLE = 600
pytestmark = pytest.mark.timeout(240)
AWAY = 7.0
IN_FORCE_AFTER = 6.0
"""Seconds; the rest of an answer is half a second, where the machine is free."""


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_without_consent_nothing_leaves(processes, brand, tell, how):
    await brand.people(PEOPLE)
    await brand.keep_to(PACE)
    campaign = await brand.launch(STORY)
    await brand.progress(campaign, 100)
    if how == "killed":
        await processes.kill("consent")
    else:
        processes.freeze("consent")
    gone_at = time.monotonic_ns()
    await asyncio.sleep(AWAY)
    back_at = time.monotonic_ns()
    if how == "killed":
        processes.start("consent")
    else:
        processes.thaw("consent")
    totals = await brand.finished(campaign)
    sent_at = sorted(entry.at_ns for entry in await brand.log() if entry.is_message)
    after = [at for at in sent_at if gone_at < at < back_at]
    resumed = (min(at for at in sent_at if at > back_at) - back_at) / 1e9
    tell(f"{len(after)} left on answers of before, then none; went on after {resumed:.1f} s")

    assert [at for at in after if at > gone_at + TTL * 1e9] == []
    # What had been asked for: a second's worth in hand, and the one that was being asked.
    assert len(after) <= 2 * PACE
    assert resumed <= 10
    assert totals["sent"] == PEOPLE
    at_most_once(await brand.taken())


async def test_a_dead_dispatcher_delays_an_answer_by_six_seconds(processes, brand, tell):
    people = await brand.people(PEOPLE)
    await brand.keep_to(PACE)
    campaign = await brand.launch(STORY)
    await brand.progress(campaign, 100)
    await processes.kill("dispatcher")
    silent = people[::100]
    async with measured() as stretch:
        answers = await asyncio.gather(*(brand.revoke(address) for address in silent))
    acknowledged = dict(zip(silent, (at for at, _ in answers), strict=True))
    waits = [seconds for _, seconds in answers]
    processes.start("dispatcher")
    await processes.ready("dispatcher")
    totals = await brand.finished(campaign)
    tell(
        f"answered after {min(waits):.2f}–{max(waits):.2f} s (machine ×{stretch.factor:.1f}); "
        f"{totals}"
    )

    assert max(waits) <= IN_FORCE_AFTER + 0.5 * stretch.factor
    assert late_sends(await brand.log(), acknowledged) == []
    at_most_once(await brand.taken())
    ends = totals["sent"] + totals["unknown"] + totals["cancelled"]
    assert ends + totals["withheld"].get("revoked", 0) == PEOPLE


async def test_postgresql_dies_under_a_campaign_and_webhooks(durable, brand, tell):
    people = await brand.people(PEOPLE)
    speakers = people[:300]
    campaign = await brand.launch(STORY)

    async def speak():
        for address in speakers:
            await brand.say(address, f"buongiorno {address}")
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        group.create_task(speak())
        for done in (50, 300):
            await brand.progress(campaign, done)
            await durable.kill()
            await brand.progress(campaign, done)
    totals = await brand.finished(campaign)
    heard: list[str] = []
    async with asyncio.timeout(45):
        while len(set(heard)) < len(speakers):
            heard = await told_to_the_brand(brand)
            await asyncio.sleep(0.3)
    tell(f"{len(heard)} of {len(speakers)} heard, each once; {totals}")

    assert sorted(heard) == sorted(f"buongiorno {address}" for address in speakers)
    assert (totals["sent"], totals["unknown"]) == (PEOPLE, 0)
    at_most_once(await brand.taken())


async def told_to_the_brand(brand):
    """Return the texts of all events of messages received."""
    texts, more = [], ""
    while True:
        page = await brand.insist("GET", f"/v1/events?type=message.received&limit=100{more}")
        texts += [event["data"]["text"] for event in page["items"]]
        if page["next"] is None:
            return texts
        more = f"&cursor={page['next']}"
