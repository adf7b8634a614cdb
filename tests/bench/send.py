"""`send`: messages per second on the whole path, against a bare loop over stock aiogram."""

from tests.bench.figures import Measured
from tests.bench.machine import Machine
from tests.bench.turns import TELEGRAM, side_by_side


async def measure(machine: Machine, *, quick: bool) -> Measured:
    """Let a campaign by Telegram and the bare loop take turns on one stub."""
    return await side_by_side("send", machine, TELEGRAM, quick=quick)
