"""`consent_check`: addresses per second at consent's own port, against the bare statement."""

import random
import time
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from services.consent.queries.checks import CHECK
from shared.ids import new_id
from shared.security.service_tokens import Signer
from tests.bench.brand import FIRST_ADDRESS, add_people
from tests.bench.figures import Measured, percentile, rate, really
from tests.bench.house import House
from tests.bench.machine import Machine
from tests.bench.wire import pump, request

PATH = "/v1/consents/check"
AT_ONCE = 500
CONNECTIONS = 4
SEED = 20_261_122


async def measure(machine: Machine, *, quick: bool) -> Measured:
    """Let the service and the statement answer the same questions in turn."""
    people, calls, rounds = (200_000, 200, 3) if quick else (1_000_000, 600, 5)
    results: list[dict[str, Any]] = []
    chance = random.Random(SEED)
    async with machine.house(("consent",)) as house:
        brand_id, account_id = new_id(), new_id()
        owner = await asyncpg.connect(house.database)
        await add_people(
            owner, brand_id=brand_id, accounts=[account_id], count=people, states_only=True
        )
        await owner.close()
        bare = await asyncpg.connect(
            machine.cluster.url(
                house.database_name,
                role="permesso_consent",
                password=machine.keys.role_passwords["permesso_consent"],
            )
        )
        await bare.execute("SELECT set_config('app.brand', $1, false)", str(brand_id))
        asking = _Asking(machine, house, bare, brand_id, account_id)
        for number in range(rounds + 1):
            questions = [
                [str(FIRST_ADDRESS + chance.randint(1, people)) for _ in range(AT_ONCE)]
                for _ in range(calls)
            ]
            ours = await asking.service(questions)
            theirs = await asking.statement(questions)
            if number:  # The first round warms both up.
                results.append({**ours, **theirs})
        await bare.close()
    notes = {"people": people, "addresses_per_call": AT_ONCE, "connections": CONNECTIONS}
    return Measured(rate("consent_check", "addresses/s", results), results, notes)


class _Asking:
    """The two ways to ask."""

    def __init__(
        self,
        machine: Machine,
        house: House,
        bare: asyncpg.Connection,
        brand_id: UUID,
        account_id: UUID,
    ) -> None:
        self._machine = machine
        self._house = house
        self._bare = bare
        self._brand_id = brand_id
        self._account_id = account_id
        self._signer = Signer("dispatcher", house.keys.service_keys["dispatcher"])
        self._allowed = 0

    async def service(self, questions: Sequence[Sequence[str]]) -> dict[str, Any]:
        """Ask the service; every answer is read, as the dispatcher would."""
        self._allowed = 0
        before = self._cpu()
        port = self._house.port("consent")
        load = await pump(
            port, self._requests(questions), connections=CONNECTIONS, on_answer=self._read
        )
        after = self._cpu()
        asked = len(questions) * AT_ONCE
        really(load.statuses == {200: len(questions)}, f"consent answered {load.statuses}")
        really(self._allowed == asked, f"{self._allowed} of {asked} were allowed")
        return {
            "ours": asked / load.seconds,
            "p50_ms": percentile(load.latencies, 0.5) * 1e3,
            "p99_ms": percentile(load.latencies, 0.99) * 1e3,
            **{
                f"{k}_cpu_us_per_call": (after[k] - before[k]) / len(questions) * 1e6 for k in after
            },
        }

    async def statement(self, questions: Sequence[Sequence[str]]) -> dict[str, Any]:
        """Ask PostgreSQL itself, as the service's role, in one transaction for each question."""
        before = self._cpu()["postgres"]
        began = time.perf_counter()
        found = 0
        for addresses in questions:
            rows = await self._bare.fetch(
                CHECK, self._brand_id, self._account_id, addresses, "marketing"
            )
            found += sum(1 for row in rows if row[0] == "granted")
        seconds = time.perf_counter() - began
        asked = len(questions) * AT_ONCE
        really(found == asked, f"the statement found {found} of {asked}")
        cost = (self._cpu()["postgres"] - before) / len(questions) * 1e6
        return {"baseline": asked / seconds, "baseline_postgres_cpu_us_per_call": cost}

    def _requests(self, questions: Sequence[Sequence[str]]) -> Iterator[bytes]:
        for addresses in questions:
            body = orjson.dumps(
                {
                    "brand_id": str(self._brand_id),
                    "account_id": str(self._account_id),
                    "purpose": "marketing",
                    "addresses": addresses,
                }
            )
            proof = self._signer.header(audience="consent", method="POST", path=PATH, body=body)
            yield request("POST", PATH, body, {"authorization": proof})

    def _read(self, status: int, body: bytes) -> None:
        if status == 200:
            self._allowed += sum(each["allowed"] for each in orjson.loads(body)["results"])

    def _cpu(self) -> dict[str, float]:
        return {
            **self._house.cpu_seconds(),
            "postgres": self._machine.postgres_cpu_seconds(),
        }
