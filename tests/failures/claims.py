"""How long claims take, by PostgreSQL's own log of the dispatcher's statements."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from tests.failures.brand import Brand

_LINE = re.compile(r"^\d{4}-\d\d-\d\d .*?duration: (\d+\.\d+) ms  (?:execute|statement)", re.DOTALL)
_BEGINS = re.compile(r"\n(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_CLAIM = re.compile(r"next AS MATERIALIZED.*UPDATE dispatcher\.slip", re.DOTALL)
"""A claim takes slips into a hand (`queries/slips.py`)."""


@asynccontextmanager
async def logged_claims(brand: Brand) -> AsyncIterator[None]:
    """Have every statement of the dispatcher logged; it connects anew within the block."""
    await _as_owner(brand, "ALTER ROLE permesso_dispatcher SET log_min_duration_statement = 0")
    try:
        yield
    finally:
        await _as_owner(brand, "ALTER ROLE permesso_dispatcher RESET log_min_duration_statement")


async def _as_owner(brand: Brand, statement: str) -> None:
    connection = await asyncpg.connect(brand.owner_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


class ClaimLog:
    """Reads what came to the log since it was read last."""

    def __init__(self, log: Path) -> None:
        """Begin at the end of the log."""
        self._log = log
        self._read = log.stat().st_size

    def take(self) -> list[float]:
        """Return how long each claim since then took, in milliseconds."""
        with self._log.open("rb") as opened:
            opened.seek(self._read)
            new = opened.read()
        self._read += len(new)
        found = []
        for entry in _BEGINS.split(new.decode(errors="replace")):
            if (line := _LINE.match(entry)) and _CLAIM.search(entry):
                found.append(float(line[1]))
        return found


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that so large a part of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
