"""`expand`: messages per second from the launch to the queue, against COPY of the same rows.

The lanes are held meanwhile: sending is another benchmark. The rows are copied into a table with
the columns, the indexes and the checks of the partition that they are in.
"""

import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from tests.bench.crowd import Crowd, a_crowd
from tests.bench.figures import Measured, rate, really
from tests.bench.machine import Machine
from tests.bench.proc import watched

LOOK = 0.25
"""Seconds between two looks at the memory."""
_COPY = "bench_copy"


async def measure(machine: Machine, *, quick: bool) -> Measured:
    """Expand a campaign to everybody, then copy what came of it."""
    rounds: list[dict[str, Any]] = []
    async with a_crowd(machine, quick=quick) as crowd:
        # The first campaign opens connections and makes plans.
        await crowd.few.cancel(await crowd.few.expanded(1_000))
        for _ in range(3 if quick else 2):
            await crowd.clear()
            await crowd.many.hold()
            rounds.append(await _round(crowd))
    notes = {
        "people": crowd.people,
        "peak_mb": {
            name: max(each["peak_mb"][name] for each in rounds) for name in rounds[0]["peak_mb"]
        },
    }
    return Measured(rate("expand", "messages/s", rounds), rounds, notes)


async def _round(crowd: Crowd) -> dict[str, Any]:
    campaign_id = await crowd.many.draft()
    before = crowd.many.cpu()
    async with watched(crowd.house.pids, every=LOOK) as memory:
        began = time.perf_counter()
        await crowd.many.launch(campaign_id)
        await crowd.many.until_expanded(campaign_id, crowd.people)
        ours = time.perf_counter() - began
    after = crowd.many.cpu()
    really((await crowd.many.seen())["posts"] == 0, "something left while the lanes were held")
    baseline = await _copied(crowd.connection, campaign_id, crowd.people)
    return {
        "ours": crowd.people / ours,
        "baseline": crowd.people / baseline,
        "before_mb": {name: memory.looks[0][name] for name in memory.pids},
        "peak_mb": memory.peaks(),
        **{f"{k}_cpu_us": (after[k] - before[k]) / crowd.people * 1e6 for k in after},
    }


async def _copied(owner: asyncpg.Connection, campaign_id: UUID, people: int) -> float:
    """Copy a campaign's messages out and in again; return the seconds of the second half."""
    partition, options = await owner.fetchrow(
        "SELECT c.relname, array_to_string(c.reloptions, ', ') FROM pg_class c WHERE c.oid = ("
        " SELECT tableoid FROM dispatcher.message WHERE campaign_id = $1 LIMIT 1)",
        campaign_id,
    )
    await owner.execute(
        f"CREATE TABLE dispatcher.{_COPY} (LIKE dispatcher.{partition} INCLUDING ALL)"
        f" WITH ({options})"
    )
    try:
        with tempfile.TemporaryDirectory(prefix="permesso-bench-", dir="/var/tmp") as folder:
            rows = Path(folder) / "rows"
            await owner.copy_from_query(
                "SELECT * FROM dispatcher.message WHERE campaign_id = $1",
                campaign_id,
                output=rows,
                format="binary",
            )
            await owner.execute("CHECKPOINT")
            began = time.perf_counter()
            await owner.copy_to_table(_COPY, schema_name="dispatcher", source=rows, format="binary")
            seconds = time.perf_counter() - began
        copied = await owner.fetchval(f"SELECT count(*) FROM dispatcher.{_COPY}")
        really(copied == people, f"{copied} of {people} messages were copied")
        return seconds
    finally:
        await owner.execute(f"DROP TABLE dispatcher.{_COPY}")
