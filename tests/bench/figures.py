"""What a benchmark found: the figure that is read, and the rounds behind it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

import orjson


class NotReal(Exception):
    """What was measured did not really happen, so there is no figure."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of bench.json; without a baseline where there is nothing to compare with."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure, its rounds as they came, and what else is worth knowing."""

    figure: Figure
    rounds: Sequence[dict[str, Any]]
    notes: dict[str, Any] = field(default_factory=dict)


def rate(name: str, unit: str, rounds: Sequence[dict[str, Any]], *, digits: int = 1) -> Figure:
    """Return the medians of the rounds' `ours` and `baseline`, and the median of their ratios.

    Both sides of a round ran one after the other, so that a busy neighbour slows both: the ratio
    of a round is steadier than the ratio of two medians.
    """
    ours = median(each["ours"] for each in rounds)
    baseline = median(each["baseline"] for each in rounds)
    ratio = median(each["ours"] / each["baseline"] for each in rounds)
    return Figure(name, round(ours, digits), unit, round(baseline, digits), round(ratio, 3))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of them lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def really(condition: bool, what: str) -> None:
    """Refuse to go on to a figure when `what` did not come out as it must."""
    if not condition:
        raise NotReal(what)


def as_json(figures: Sequence[Figure]) -> bytes:
    """Return bench.json."""
    return orjson.dumps([asdict(each) for each in figures], option=orjson.OPT_INDENT_2)
