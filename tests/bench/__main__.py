"""Measure, side by side in one run: `python -m tests.bench [names …] [--quick]`."""

import argparse
import platform
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from tests.bench import (
    audience,
    backlog,
    consent_check,
    expand,
    importing,
    ingest,
    launch,
    million,
    revoke,
    rss,
    send,
    send_two,
    send_webhook,
)
from tests.bench.figures import Figure, Measured, NotReal, as_json
from tests.bench.house import ROOT
from tests.bench.machine import Machine, a_machine
from tests.bench.profiling import ROADS, profile_sending

BENCHMARKS: dict[str, Callable[..., Awaitable[Measured]]] = {
    "ingest": ingest.measure,
    "send": send.measure,
    "send_two": send_two.measure,
    "send_webhook": send_webhook.measure,
    "consent_check": consent_check.measure,
    "revoke_ack_p99": revoke.measure,
    "expand": expand.measure,
    "launch_to_first": launch.measure,
    "backlog": backlog.measure,
    "rss": rss.measure,
    "audience": audience.measure,
    "import": importing.measure,
    "million": million.measure,
}
ONLY_BY_NAME = {"million"}
BUILD = ROOT / "build"


async def run(names: list[str], *, quick: bool) -> int:
    """Run the benchmarks, print the table and write the files; 1 when one could not be read."""
    say = Console(stderr=True)
    figures: list[Figure] = []
    details: dict[str, Any] = {"quick": quick, "python": platform.python_version()}
    broken = 0
    async with a_machine() as machine:
        for name in names:
            broken += await _one(name, machine, figures, details, say, quick=quick)
    Console().print(_table(figures))
    BUILD.mkdir(exist_ok=True)
    _write(BUILD / "bench.json", as_json(figures))
    _write(BUILD / "bench-rounds.json", orjson.dumps(details, option=orjson.OPT_INDENT_2))
    return 1 if broken else 0


async def profile(name: str, *, quick: bool) -> int:
    """Print where the time of a message goes."""
    async with a_machine() as machine:
        try:
            print(await profile_sending(name, machine, quick=quick))
        except NotReal as error:
            print(f"no profile, because {error}", file=sys.stderr)
            return 1
    return 0


async def _one(
    name: str,
    machine: Machine,
    figures: list[Figure],
    details: dict[str, Any],
    say: Console,
    *,
    quick: bool,
) -> int:
    began = time.perf_counter()
    try:
        measured = await BENCHMARKS[name](machine, quick=quick)
    except (NotReal, TimeoutError) as error:
        why = str(error) or "it took too long"
        say.print(f"[red]{name}: no figure, because {why}[/red]")
        return 1
    seconds = time.perf_counter() - began
    say.print(f"[dim]{name} took {seconds:.0f} s[/dim]")
    figures.append(measured.figure)
    details[name] = {"seconds": seconds, **measured.notes, "rounds": list(measured.rounds)}
    return 0


def _table(figures: list[Figure]) -> Table:
    table = Table(title="Permesso, side by side in one run")
    for column in ("", "value", "unit", "baseline", "ratio"):
        table.add_column(column, justify="left" if column in ("", "unit") else "right")
    for each in figures:
        table.add_row(
            each.name,
            _short(each.value),
            each.unit,
            "" if each.baseline is None else _short(each.baseline),
            "" if each.ratio is None else f"{each.ratio:.2f}",
        )
    return table


def _short(value: float) -> str:
    return f"{value:,.1f}" if value >= 10 else f"{value:.3f}"


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content + b"\n")


def main() -> int:
    """Read the command line and measure."""
    options = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    options.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    options.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    options.add_argument(
        "--profile",
        action="store_true",
        help=f"say where a message's time goes ({' or '.join(ROADS)} alone)",
    )
    told = options.parse_args()
    if unknown := [name for name in told.names if name not in BENCHMARKS]:
        options.error(f"there is no benchmark {', '.join(unknown)}")
    if told.profile:
        if len(told.names) != 1 or told.names[0] not in ROADS:
            options.error(f"name one that has a profile: {', '.join(ROADS)}")
        return uvloop.run(profile(told.names[0], quick=told.quick))
    names = told.names or [name for name in BENCHMARKS if name not in ONLY_BY_NAME]
    return uvloop.run(run(names, quick=told.quick))


if __name__ == "__main__":
    sys.exit(main())
