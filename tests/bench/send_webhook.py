"""`send_webhook`: the whole path to a brand's own system, against a bare loop over aiohttp.

Ours are signed, each under an id of its own; theirs are one body again and again, unsigned.
"""

from typing import Any

from tests.bench.bare_aiohttp import BODY
from tests.bench.figures import Measured, really
from tests.bench.machine import Machine
from tests.bench.turns import WEBHOOK, OnTheRoad, side_by_side


async def measure(machine: Machine, *, quick: bool) -> Measured:
    """Let a campaign by webhook and the bare loop take turns on one stub."""
    return await side_by_side("send_webhook", machine, WEBHOOK, quick=quick, proof=_all_signed)


async def _all_signed(on: OnTheRoad, people: int) -> dict[str, Any]:
    """See that the stub got an id and a right signature with each post; return the body's size."""
    proof = await on.sending.seen("/signed")
    really(
        proof["ids"] == proof["signed"] == people,
        f"of {people} posts {proof['signed']} were signed, under {proof['ids']} ids",
    )
    really(
        abs(proof["body_bytes"] - len(BODY)) < 10,
        f"ours are {proof['body_bytes']} bytes, the baseline's are {len(BODY)}",
    )
    return {"body_bytes": proof["body_bytes"]}
