"""The platform says "too fast": everything comes all the same, nothing before its time."""

import os
import re

import pytest

from tests.failures.brand import STORY
from tests.failures.checks import at_most_once
from tests.failures.stretch import measured

LANES, PEOPLE, PACE = 4, 40, 60
TOO_FAST, BROKEN = 0.5, 0.2
"""Parts of all answers."""
WAITS = range(1, int(os.environ.get("PERMESSO_TEST_RETRY_AFTER", "5")) + 1)
"""Seconds that the platform asks for: up to 30 before a release."""
pytestmark = pytest.mark.timeout(240 + 30 * max(WAITS))
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


async def test_half_is_too_fast_and_a_fifth_breaks(brand, tell):
    """A storm of both: what was refused comes later, what may have come is never sent again."""
    while len(brand.accounts) < LANES:
        await brand.open_account(per_second=PACE)
    await brand.keep_to(PACE)
    for account in brand.accounts:
        await brand.people(PEOPLE, account=account)
        for number, seconds in enumerate(WAITS):
            # The first fault that hits counts: each wait gets a part of what is left for it.
            rate = TOO_FAST / len(WAITS) / (1 - number * TOO_FAST / len(WAITS))
            storm = {"fault": "rate_limited", "retry_after": seconds, "rate": rate}
            await brand.control("POST", "faults", storm, account=account)
        down = {"fault": "down", "rate": BROKEN / (1 - TOO_FAST)}
        await brand.control("POST", "faults", down, account=account)
    campaign = await brand.launch(STORY, accounts=brand.accounts)
    async with measured() as stretch:
        totals = await brand.finished(campaign, within=100 + 25 * max(WAITS))
    log = [entry for entry in await brand.log() if entry.method.startswith("send")]
    throttled = [entry for entry in log if entry.outcome.startswith("429")]
    broken = {entry.address: entry.at_ns for entry in log if entry.outcome.startswith("503")}
    again = [e for e in log if e.at_ns > broken.get(e.address, 2**63)]
    too_early = [
        each
        for account in brand.accounts
        for each in early([e for e in log if e.account == str(account.bot)], stretch)
    ]
    attempts = await brand.attempts("throttled")
    tell(
        f"{len(log)} calls: {len(throttled)} too fast with {min(WAITS)}–{max(WAITS)} s, "
        f"{len(broken)} broken; {len(too_early)} early; {totals['sent']} sent, "
        f"{totals['unknown']} unknown (machine ×{stretch.factor:.1f})"
    )

    assert too_early == []
    assert again == []
    assert set(await brand.addresses_of(campaign, "unknown")) == set(broken)
    assert totals["sent"] + totals["unknown"] == totals["accepted"] == LANES * PEOPLE
    assert attempts == sum(e.account == str(brand.bot) for e in throttled)
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
