"""The platform says "too fast": everything comes all the same, nothing before its time."""

import re

from tests.failures.brand import STORY
from tests.failures.checks import at_most_once
from tests.failures.stretch import measured

SETTLING = 0.3
"""Seconds in which what was on its way may still arrive, where the machine is free."""


def early(log, stretch):
    """Return the calls that began while the platform had asked for silence."""
    found, silent_until, since = [], 0.0, 0.0
    for entry in sorted(log, key=lambda each: each.at_ns):
        if not entry.method.startswith("send"):
            continue
        at = entry.at_ns / 1e9
        if since + SETTLING * stretch.factor < at < silent_until:
            found.append((entry.seq, silent_until - at))
        if wait := re.search(r"retry after (\d+)", entry.outcome):
            since, silent_until = at, at + int(wait[1])
    return found


async def test_a_storm_costs_time_and_nothing_else(brand, tell):
    people = await brand.people(240)
    await brand.keep_to(60)
    for seconds in (1, 2, 3):
        storm = {"fault": "rate_limited", "retry_after": seconds, "count": 4, "rate": 0.3}
        await brand.control("POST", "faults", storm)
    campaign = await brand.launch(STORY)
    async with measured() as stretch:
        totals = await brand.finished(campaign, within=75)
    log = await brand.log()
    refused = [entry for entry in log if entry.outcome.startswith("429")]
    too_early = early(log, stretch)
    tell(f"{len(refused)} times too fast; {len(too_early)} early; {totals['sent']} sent")

    assert len(refused) == 12
    assert too_early == []
    assert totals["sent"] == len(people)
    at_most_once(await brand.taken())


async def test_no_throttle_uses_up_an_attempt(brand, tell):
    """One person's message is told to wait more often than a message may be tried."""
    (ada,) = await brand.people(1)
    storm = {"fault": "rate_limited", "retry_after": 1, "count": 9, "address": ada}
    await brand.control("POST", "faults", storm)
    campaign = await brand.launch(STORY)
    async with measured() as stretch:
        totals = await brand.finished(campaign, within=60)
    throttled = await brand.attempts("throttled")
    tell(f"{throttled} throttles, then sent")

    assert (totals["sent"], throttled) == (1, 9)
    assert early(await brand.log(), stretch) == []
