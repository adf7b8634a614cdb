"""`audience`: people per second, page by page through consent, and what memory that takes."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from services.consent.queries.audience import FIRST, LAST, Whose, page
from shared.ids import new_id
from shared.security.service_tokens import Signer
from tests.bench.brand import add_people
from tests.bench.figures import Measured, rate, really
from tests.bench.house import House
from tests.bench.machine import Machine
from tests.bench.proc import resident_mb
from tests.bench.wire import pump, request

PATH, COUNT_PATH = "/v1/audience", "/v1/audience/count"
AT_ONCE = 2_000


async def measure(machine: Machine, *, quick: bool) -> Measured:
    """Let the service and the bare statement go through everybody in turn; count them too."""
    people, rounds = (100_000, 2) if quick else (1_000_000, 3)
    results: list[dict[str, Any]] = []
    async with machine.house(("consent",)) as house:
        brand_id, account_id = new_id(), new_id()
        owner = await asyncpg.connect(house.database)
        await add_people(owner, brand_id=brand_id, accounts=[account_id], count=people)
        await owner.execute("SELECT set_config('app.brand', $1, false)", str(brand_id))
        before = resident_mb(house.processes["consent"].pid)
        for _ in range(rounds):
            ours = await _by_the_service(house, brand_id, account_id, people)
            baseline = await _by_the_statement(owner, Whose(brand_id, account_id, "marketing"))
            counting = await _counted(house, brand_id, account_id, people)
            results.append(
                {
                    "ours": people / ours,
                    "baseline": people / baseline,
                    "count_seconds": counting,
                    "rss_mb": resident_mb(house.processes["consent"].pid),
                }
            )
        await owner.close()
    notes = {"people": people, "people_per_page": AT_ONCE, "rss_mb_before": before}
    return Measured(rate("audience", "people/s", results), results, notes)


async def _by_the_service(house: House, brand_id: UUID, account_id: UUID, people: int) -> float:
    """Ask for page after page, each behind the last; return the seconds."""
    found = 0
    after: str | None = None
    over = False

    def read(status: int, body: bytes) -> None:
        nonlocal found, after, over
        answer = orjson.loads(body) if status == 200 else {"recipients": (), "next": None}
        found += len(answer["recipients"])
        after = answer["next"]
        over = after is None

    def pages() -> Iterator[bytes]:
        while not over:
            yield _ask(house, PATH, brand_id, account_id, after=after, limit=AT_ONCE)

    load = await pump(house.port("consent"), pages(), connections=1, on_answer=read)
    really(found == people, f"{found} of {people} were on the pages")
    return load.seconds


async def _by_the_statement(owner: asyncpg.Connection, whose: Whose) -> float:
    began, after = time.perf_counter(), FIRST
    while True:
        rows = await page(owner, whose, after=after, until=LAST, tags=None, limit=AT_ONCE)
        if len(rows) < AT_ONCE:
            return time.perf_counter() - began
        after = rows[-1][0]


async def _counted(house: House, brand_id: UUID, account_id: UUID, people: int) -> float:
    found = 0

    def read(status: int, body: bytes) -> None:
        nonlocal found
        found = orjson.loads(body)["eligible"] if status == 200 else 0

    asked = iter([_ask(house, COUNT_PATH, brand_id, account_id)])
    load = await pump(house.port("consent"), asked, connections=1, on_answer=read)
    really(found == people, f"{found} of {people} were counted")
    return load.seconds


def _ask(house: House, path: str, brand_id: UUID, account_id: UUID, **more: Any) -> bytes:
    body = orjson.dumps(
        {
            "brand_id": str(brand_id),
            "account_id": str(account_id),
            "purpose": "marketing",
            "filter": {"everyone": True},
            **more,
        }
    )
    signer = Signer("dispatcher", house.keys.service_keys["dispatcher"])
    proof = signer.header(audience="consent", method="POST", path=path, body=body)
    return request("POST", path, body, {"authorization": proof})
