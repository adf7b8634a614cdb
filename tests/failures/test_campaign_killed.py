"""Killed with -9 in the middle of a campaign of 5,000, and started again, whatever it was."""

import random

import pytest

from tests.failures.brand import STORY
from tests.failures.checks import at_most_once

pytestmark = pytest.mark.timeout(240)
PEOPLE = 5_000
WINDOW = 96


async def test_nobody_twice_nobody_lost(processes, durable, brand, tell):
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    victims = ["dispatcher", "consent", "postgres", "gateway", "dispatcher"]
    chance.shuffle(victims)
    moments = sorted(chance.randrange(200, 4_200) for _ in victims)
    told = f"seed {seed}: " + ", ".join(
        f"{victim} at {moment}" for victim, moment in zip(victims, moments, strict=True)
    )
    tell(told)
    await brand.people(PEOPLE)
    campaign = await brand.launch(STORY)
    for victim, moment in zip(victims, moments, strict=True):
        await brand.progress(campaign, moment, within=90)
        if victim == "postgres":
            await durable.kill()
        else:
            await processes.kill(victim)
            processes.start(victim)
            await processes.ready(victim)
    totals = await brand.finished(campaign, within=90)
    unknown = set(await brand.addresses_of(campaign, "unknown"))
    taken = await brand.taken()
    times = [entry.at_ns for entry in await brand.log() if entry.is_message]
    rate = len(times) / ((max(times) - min(times)) / 1e9)
    tell(
        f"{totals['sent']} sent, {len(unknown)} unknown, of which the platform took "
        f"{sum((a, 'sendMessage') in taken for a in unknown)}; {brand.polls} polls added up; "
        f"{rate:.0f} a second, outages included"
    )

    at_most_once(taken)
    assert totals["accepted"] == PEOPLE, told
    assert totals["sent"] + totals["unknown"] == PEOPLE, (told, totals)
    assert len(unknown) <= WINDOW * victims.count("dispatcher"), told
    certain = {address for address, _ in taken} - unknown
    assert len(certain) == totals["sent"], told
