"""A snapshot is held for the whole of a campaign, and somebody counts: claims stay as quick."""

import asyncio
import os
from contextlib import asynccontextmanager

import pytest

from tests.failures.brand import STORY
from tests.failures.checks import at_most_once
from tests.failures.claims import ClaimLog, logged_claims, percentile
from tests.failures.rows import connect, queue_size
from tests.failures.stretch import measured

HELD = float(os.environ.get("PERMESSO_TEST_HELD", "30"))
"""Seconds for which the snapshot is held at the full pace."""
pytestmark = pytest.mark.timeout(400 + 8 * HELD)
LANES, PACE = 6, 100
USUAL = 10.0
SLOWER = 2.0
"""How many times longer the slowest hundredth of the claims may take."""
QUICK = 5.0
"""Milliseconds that nobody minds, however quick the claims were before."""
LARGEST = 50.0
"""MB of the tables that list what waits."""
ANALYSIS = """
SELECT account_id, status, count(*), avg(length(address)) FROM dispatcher.message
GROUP BY account_id, status ORDER BY 3 DESC
"""


async def test_a_held_snapshot_does_not_slow_the_claims(processes, durable, brand, tell):
    people = int(LANES * PACE * (USUAL + HELD))
    for number in range(LANES):
        account = brand.accounts[0] if number == 0 else await brand.open_account(per_second=PACE)
        await brand.people(people // LANES, account=account)
    await brand.keep_to(PACE)
    async with logged_claims(brand), measured() as stretch:
        await processes.restart("dispatcher")
        log = ClaimLog(durable.cluster.log)
        campaign = await brand.launch(STORY, accounts=brand.accounts)
        await brand.progress(campaign, int(people * USUAL / (USUAL + HELD)), within=200)
        usual = log.take()
        async with a_held_snapshot(brand) as analyses:
            totals = await brand.finished(campaign, within=300 + 6 * HELD)
            size = await queue_size(brand)
        held = log.take()
    await processes.restart("dispatcher")
    sent = [entry.at_ns for entry in await brand.log() if entry.is_message]
    p99s = [percentile(each, 0.99) for each in (usual, held)]
    late = percentile(held[-len(held) // 4 :], 0.99)
    tell(
        f"p50 {percentile(usual, 0.5):.1f} → {percentile(held, 0.5):.1f} ms, p99 {p99s[0]:.1f} → "
        f"{p99s[1]:.1f} ms (of the last quarter {late:.1f}) in {len(usual)} and {len(held)} "
        f"claims; {len(sent) / (max(sent) - min(sent)) * 1e9:.0f} a second; {analyses[0]} "
        f"analyses; what waits is listed in {size:.1f} MB (machine ×{stretch.factor:.1f})"
    )

    assert totals["sent"] == people
    bound = max(SLOWER * p99s[0], QUICK * stretch.factor)
    assert max(p99s[1], late) <= bound
    assert size <= LARGEST
    at_most_once(await brand.taken())


@asynccontextmanager
async def a_held_snapshot(brand):
    """Hold a snapshot of now, and let somebody read all of the messages again and again."""
    holder, analyst = [await connect(brand) for _ in range(2)]
    analyses = [0]

    async def analyse():
        while True:
            await analyst.fetch(ANALYSIS)
            analyses[0] += 1
            await asyncio.sleep(2)

    await holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    await holder.fetchval("SELECT count(*) FROM dispatcher.lane")
    analysing = asyncio.create_task(analyse())
    try:
        yield analyses
        assert not analysing.done(), analysing
    finally:
        analysing.cancel()
        await asyncio.gather(analysing, return_exceptions=True)
        await holder.execute("ROLLBACK")
        for each in (holder, analyst):
            await each.close()
