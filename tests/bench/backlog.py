"""`backlog`: claims per second with five million messages waiting, against fifty thousand.

Both wait in a hundred lanes of a database of their own. A round sweeps through all lanes a few
times, one database after the other; what it claimed is put back after it.
"""

import time
from typing import Any

from tests.bench.claiming import Backlog, a_backlog
from tests.bench.figures import Measured, rate, really
from tests.bench.machine import Machine

LANES = 100


async def measure(machine: Machine, *, quick: bool) -> Measured:
    """Claim in turns from both."""
    many, few, limit, sweeps, rounds = (
        (512_000, 25_600, 64, 2, 5) if quick else (5_120_000, 51_200, 64, 4, 9)
    )
    results: list[dict[str, Any]] = []
    began = time.perf_counter()
    async with (
        a_backlog(machine, lanes=LANES, each=many // LANES) as large,
        a_backlog(machine, lanes=LANES, each=few // LANES) as small,
    ):
        laid_out = time.perf_counter() - began
        for number in range(rounds + 1):
            found = await _round(large, small, limit, sweeps)
            if number:  # The first round makes the plans, and warms the cache.
                results.append(found)
        for backlog, waiting in ((large, many), (small, few)):
            really(await backlog.waiting() == waiting, "what was claimed did not come back")
    notes = {
        "waiting": many,
        "baseline_waiting": few,
        "lanes": LANES,
        "at_once": limit,
        "claims_per_round": LANES * sweeps * limit,
        "laid_out_in_seconds": laid_out,
    }
    return Measured(rate("backlog", "claims/s", results), results, notes)


async def _round(large: Backlog, small: Backlog, limit: int, sweeps: int) -> dict[str, Any]:
    """Sweep through both in turns; return the messages that were claimed per second of each."""
    ours = baseline = 0.0
    for _ in range(sweeps):
        ours += await _sweep(large, limit)
        baseline += await _sweep(small, limit)
    await large.put_back()
    await small.put_back()
    claims = LANES * sweeps * limit
    return {"ours": claims / ours, "baseline": claims / baseline}


async def _sweep(backlog: Backlog, limit: int) -> float:
    """Claim once from each lane; return the seconds."""
    claimed = 0
    began = time.perf_counter()
    for lane in backlog.lanes:
        claimed += await backlog.claim(lane, limit)
    seconds = time.perf_counter() - began
    really(claimed == LANES * limit, f"only {claimed} were claimed")
    return seconds
