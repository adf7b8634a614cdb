"""`import`: rows per second of a file of people through the gateway, and what memory that takes."""

import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from tests.bench.brand import FIRST_ADDRESS, open_brand
from tests.bench.figures import Figure, Measured, really
from tests.bench.machine import Machine
from tests.bench.proc import resident_mb

PIECE = 1_000
"""Rows in one piece of the body, as it is streamed."""
HEADER = b"address,language,source,wording,wording_version,at\r\n"


async def measure(machine: Machine, *, quick: bool) -> Measured:
    """Import one file; a row in ten has no evidence and must not become mailable."""
    rows = 20_000 if quick else 1_000_000
    names = ("consent", "dispatcher", "gateway")
    async with machine.house(names, settings={"GATEWAY_RATE_PER_SECOND": "100000"}) as house:
        brand = await open_brand(house, accounts=1, api_base="http://127.0.0.1:9/telegram")
        before = {name: resident_mb(house.processes[name].pid) for name in names}
        began = time.perf_counter()
        answer = await house.api.post(
            "/v1/consents/imports",
            params={"account_id": str(brand.accounts[0])},
            content=_file(rows),
            headers={"content-type": "text/csv", **brand.headers},
            timeout=3_600,
        )
        seconds = time.perf_counter() - began
        after = {name: resident_mb(house.processes[name].pid) for name in names}
        owner = await asyncpg.connect(house.database)
        granted = await owner.fetchval(
            "SELECT count(*) FROM consent.state WHERE brand_id = $1 AND status = 'granted'",
            brand.id,
        )
        await owner.close()
    told = answer.json()
    really(answer.status_code == 201, f"the gateway answered {answer.status_code}: {told}")
    really(granted == rows - rows // 10, f"{granted} became mailable")
    results: list[dict[str, Any]] = [{"seconds": seconds, "report": told}]
    notes = {"rows": rows, "rss_mb_before": before, "rss_mb_after": after}
    return Measured(Figure("import", round(rows / seconds, 1), "rows/s"), results, notes)


async def _file(rows: int) -> AsyncIterator[bytes]:
    yield HEADER
    for start in range(0, rows, PIECE):
        yield b"".join(_row(number) for number in range(start, min(start + PIECE, rows)))


def _row(number: int) -> bytes:
    address = FIRST_ADDRESS + number
    if number % 10 == 9:
        return b"%d,it,,,,2024-05-01T10:00:00Z\r\n" % address
    return b'%d,it,web_form,"Yes, write to me about new roasts.",2026-11,\r\n' % address
