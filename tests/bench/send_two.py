"""`send_two`: the whole path with two dispatchers that share the lanes, against the same bare loop.

Both together have as many calls at once as the one of `send`.
"""

import asyncio
from typing import Any

from tests.bench.campaign import ACCOUNTS, IN_FLIGHT
from tests.bench.figures import Measured, really
from tests.bench.machine import Machine
from tests.bench.turns import TELEGRAM, OnTheRoad, side_by_side

SERVICES = ("consent", "dispatcher", "dispatcher_2", "gateway")


async def measure(machine: Machine, *, quick: bool) -> Measured:
    """Let a campaign through two dispatchers and the bare loop take turns on one stub."""
    return await side_by_side(
        "send_two",
        machine,
        TELEGRAM,
        quick=quick,
        services=SERVICES,
        ready=_shared,
        proof=_shares,
        settings={"DISPATCHER_CALLS": str(IN_FLIGHT // 2)},
    )


async def _shared(on: OnTheRoad) -> None:
    """Wait until each dispatcher owns half of the lanes."""
    async with asyncio.timeout(60):
        while await _lanes(on) != [ACCOUNTS // 2, ACCOUNTS // 2]:
            await asyncio.sleep(0.2)


async def _shares(on: OnTheRoad, people: int) -> dict[str, Any]:
    """See that the lanes are shared still, so that both have sent."""
    lanes = await _lanes(on)
    really(lanes == [ACCOUNTS // 2, ACCOUNTS // 2], f"the dispatchers own {lanes} lanes")
    return {"lanes": lanes}


async def _lanes(on: OnTheRoad) -> list[int]:
    rows = await on.connection.fetch(
        "SELECT count(*) FROM dispatcher.lane WHERE owner IS NOT NULL GROUP BY owner"
    )
    return [row[0] for row in rows]
