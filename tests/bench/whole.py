"""One campaign to everybody, from the launch until it is finished: what `rss` and `million` read.

It is sent once for a machine, however many benchmarks read it.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.bench.crowd import FEW, Crowd, a_crowd
from tests.bench.figures import really
from tests.bench.machine import Machine
from tests.bench.proc import Memory, watched

TOTALS_EVERY = 10.0
"""Seconds between two looks at the totals: each counts all messages."""
SLOWEST = 300
"""Messages per second below which it is given up."""


@dataclass(frozen=True, slots=True)
class Whole:
    """What a campaign to so many people came to."""

    people: int
    seconds: float
    """From the launch call until the campaign is finished."""
    sending_seconds: float
    """From the first post to the last one."""
    expanded_seconds: float
    started_mb: dict[str, float]
    """Of each service when it was ready and had done nothing."""
    before_mb: dict[str, float]
    """After a campaign to a thousand people: everything is loaded and open."""
    after_mb: dict[str, float]
    peak_mb: dict[str, float]
    looks: list[dict[str, float]]
    """The memory, second by second."""
    totals: list[dict[str, float]]
    """Each look at the totals, all of which added up."""
    cpu_us: dict[str, float]
    """Per message."""
    database_mb: dict[str, float]
    wal_mb: float


async def whole_campaign(machine: Machine, *, quick: bool) -> Whole:
    """Send it, or return what it came to when it was sent before."""
    if "whole" not in machine.kept:
        async with a_crowd(machine, quick=quick) as crowd:
            machine.kept["whole"] = await _sent(crowd)
    whole: Whole = machine.kept["whole"]
    return whole


async def _sent(crowd: Crowd) -> Whole:
    started = Memory(crowd.house.pids).look()
    await crowd.few.campaign(FEW)
    await crowd.clear()
    campaign_id = await crowd.many.draft()
    size, wal = await _size(crowd), await _wal(crowd)
    cpu = crowd.many.cpu()
    async with watched(crowd.house.pids) as memory:
        before = memory.look()
        began_at = time.time()
        await crowd.many.launch(campaign_id)
        totals, expanded_at, finished_at = await _until_finished(crowd, campaign_id)
    used = crowd.many.cpu()
    seen = await crowd.many.seen()
    await crowd.many.verify(campaign_id, crowd.people)
    really(totals[-1]["sent"] == crowd.people, f"the totals are {totals[-1]}")
    return Whole(
        people=crowd.people,
        seconds=finished_at - began_at,
        sending_seconds=seen["last_at"] - seen["first_at"],
        expanded_seconds=expanded_at - began_at,
        started_mb=started,
        before_mb=before,
        after_mb={name: memory.looks[-1][name] for name in memory.pids},
        peak_mb=memory.peaks(),
        looks=memory.looks,
        totals=totals,
        cpu_us={name: (used[name] - cpu[name]) / crowd.people * 1e6 for name in used},
        database_mb={"before": size, "after": await _size(crowd)},
        wal_mb=await _wal(crowd) - wal,
    )


async def _until_finished(
    crowd: Crowd, campaign_id: UUID
) -> tuple[list[dict[str, float]], float, float]:
    """Wait for the end; return the totals on the way, and when it was expanded and finished."""
    totals: list[dict[str, float]] = []
    expanded_at = 0.0
    began = time.monotonic()
    next_look = began + TOTALS_EVERY
    async with asyncio.timeout(120 + crowd.people / SLOWEST):
        while True:
            expanded, finished_at = await crowd.connection.fetchrow(
                "SELECT expanded, extract(epoch FROM finished_at)::float8"
                " FROM dispatcher.campaign WHERE id = $1",
                campaign_id,
            )
            if expanded and not expanded_at:
                expanded_at = time.time()
            over = finished_at is not None
            if over or time.monotonic() > next_look:
                counted: dict[str, Any] = await crowd.many.totals(campaign_id)
                totals.append({"second": round(time.monotonic() - began, 1), **counted})
                next_look = time.monotonic() + TOTALS_EVERY
            if over:
                return totals, expanded_at, finished_at
            await asyncio.sleep(0.25)


async def _size(crowd: Crowd) -> float:
    size: int = await crowd.connection.fetchval("SELECT pg_database_size(current_database())")
    return round(size / 1e6, 1)


async def _wal(crowd: Crowd) -> float:
    """Return how much PostgreSQL has written ahead so far, in MB."""
    written: float = await crowd.connection.fetchval(
        "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8"
    )
    return round(written / 1e6, 1)
