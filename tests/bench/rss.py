"""`rss`: MB of each service after a campaign to a million people, against before it.

Before is after a campaign to a thousand, when all is loaded and open: what grows from there on
grows with the number of people. The notes say besides what each service held when it was idle.
"""

from tests.bench.figures import Figure, Measured
from tests.bench.machine import Machine
from tests.bench.whole import whole_campaign


async def measure(machine: Machine, *, quick: bool) -> Measured:
    """Return the service that grew most."""
    whole = await whole_campaign(machine, quick=quick)
    growth = {name: whole.after_mb[name] / whole.before_mb[name] for name in whole.before_mb}
    worst = max(growth, key=lambda name: growth[name])
    figure = Figure(
        "rss", whole.after_mb[worst], "MB", whole.before_mb[worst], round(growth[worst], 3)
    )
    services = [
        {
            "service": name,
            "started_mb": whole.started_mb[name],
            "before_mb": whole.before_mb[name],
            "after_mb": whole.after_mb[name],
            "peak_mb": whole.peak_mb[name],
            "ratio": round(growth[name], 3),
            "ratio_to_started": round(whole.after_mb[name] / whole.started_mb[name], 3),
        }
        for name in growth
    ]
    return Measured(figure, services, {"people": whole.people, "figure_is_of": worst})
