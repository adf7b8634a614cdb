"""`launch_to_first`: seconds from the launch call to the first post at the platform.

A campaign to a million people, and in turns one to a thousand. Both are cancelled when the first
message has come.
"""

import asyncio
import time
from typing import Any

from tests.bench.campaign import Sending
from tests.bench.crowd import FEW, a_crowd
from tests.bench.figures import Measured, rate, really
from tests.bench.machine import Machine


async def measure(machine: Machine, *, quick: bool) -> Measured:
    """Launch both in turns; the one with many people is ours, that with few is its baseline."""
    rounds: list[dict[str, Any]] = []
    async with a_crowd(machine, quick=quick) as crowd:
        for number in range(4 if quick else 8):
            ours = await _until_first(crowd.many)
            await crowd.clear()
            baseline = await _until_first(crowd.few)
            await crowd.clear()
            if number:  # The first round opens the accounts, the connections, the plans.
                rounds.append({"ours": ours, "baseline": baseline})
    notes = {"people": crowd.people, "baseline_people": FEW}
    return Measured(rate("launch_to_first", "s", rounds, digits=3), rounds, notes)


async def _until_first(sending: Sending) -> float:
    """Launch a campaign; return after how many seconds the stub saw its first message."""
    campaign_id = await sending.draft()
    launched_at = time.time()
    await sending.launch(campaign_id)
    async with asyncio.timeout(60):
        while not (seen := await sending.seen())["posts"]:
            await asyncio.sleep(0.02)
    await sending.cancel(campaign_id)
    seconds: float = seen["first_at"] - launched_at
    really(seconds > 0, "the stub counted a message of before the launch")
    return seconds
