"""What PostgreSQL was asked: its own log of every statement with its time, read and added up.

The programs that come with the wheel have no pg_stat_statements, so the server writes each
statement down for a while. That costs time itself: counts are exact, durations are a little long.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.machine import Machine

_ENTRY = re.compile(
    r"^(?P<who>[^|]*)\|LOG:  duration: (?P<ms>[0-9.]+) ms"
    r"  (?P<step>statement|parse|bind|execute)(?: [^:]+)?: (?P<text>.*)$",
    re.DOTALL,
)
_VALUE = re.compile(r"'[^']*'")
_SPACE = re.compile(r"\s+")


@dataclass(slots=True)
class Statement:
    """One statement of one program."""

    who: str
    text: str
    calls: int = 0
    """Round trips: each call is one, whatever it was split into."""
    planning_ms: float = 0.0
    """To parse and to bind."""
    running_ms: float = 0.0


async def log_all(machine: Machine, database: str) -> None:
    """Let the server write down what those who connect to `database` from now on will ask."""
    await machine.execute(f"ALTER DATABASE {database} SET log_min_duration_statement = 0")
    await machine.execute("ALTER SYSTEM SET log_line_prefix = '%a|'")
    await machine.execute("SELECT pg_reload_conf()")


def end_of(log: Path) -> int:
    """Return how long the log is now."""
    return log.stat().st_size


def read(log: Path, start: int) -> list[Statement]:
    """Add up what stands in the log from `start` on; what takes longest comes first."""
    with log.open("rb") as file:
        file.seek(start)
        text = file.read().decode(errors="replace")
    found: dict[tuple[str, str], Statement] = {}
    for entry in _entries(text.splitlines()):
        if (match := _ENTRY.match(entry)) is None:
            continue
        asked = _SPACE.sub(" ", _VALUE.sub("'…'", match["text"])).strip()
        statement = found.setdefault((match["who"], asked), Statement(match["who"], asked))
        if match["step"] in ("parse", "bind"):
            statement.planning_ms += float(match["ms"])
        else:
            statement.calls += 1
            statement.running_ms += float(match["ms"])
    return sorted(found.values(), key=lambda s: s.planning_ms + s.running_ms, reverse=True)


def _entries(lines: Iterable[str]) -> Iterable[str]:
    """Put entries together again: their further lines begin with a tab."""
    entry: list[str] = []
    for line in lines:
        if line.startswith("\t"):
            entry.append(line)
            continue
        if entry:
            yield "\n".join(entry)
        entry = [line]
    if entry:
        yield "\n".join(entry)
