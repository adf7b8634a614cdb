"""`million`: messages per second from the launch of a campaign to a million people to its end.

Expanding, sending and settling together, on this one machine. It takes its minutes, so it is
measured when it is asked for by name.
"""

from dataclasses import asdict

from tests.bench.figures import Figure, Measured
from tests.bench.machine import Machine
from tests.bench.whole import whole_campaign


async def measure(machine: Machine, *, quick: bool) -> Measured:
    """Return the rate over the whole; the notes tell the rest."""
    whole = await whole_campaign(machine, quick=quick)
    notes = asdict(whole)
    rounds = notes.pop("totals")
    figure = Figure("million", round(whole.people / whole.seconds, 1), "messages/s")
    return Measured(figure, rounds, notes)
