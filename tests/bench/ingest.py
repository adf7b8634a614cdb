"""`ingest`: durable, verified Telegram webhooks per second, against the same app with no database.

What is counted is an answer 200 whose row is committed. Handling the rows competes for the same
processors, as in production, and goes on after the burst; how long is in the notes.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
import orjson

from services.gateway.routes import secret_context
from shared.ids import new_id
from shared.security.sealing import Sealer
from tests.bench.brand import FIRST_ADDRESS, Brand, open_brand
from tests.bench.campaign import SETTINGS
from tests.bench.children import a_child
from tests.bench.figures import Measured, percentile, rate, really
from tests.bench.house import House
from tests.bench.machine import Machine
from tests.bench.wire import answers, pump, request

ACCOUNTS = 4
CONNECTIONS = 48
PEOPLE = 5_000
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
_DRAIN_WITHIN = 30.0

Door = tuple[str, str]
"""The path of an account's webhooks, and its secret."""


async def measure(machine: Machine, *, quick: bool) -> Measured:
    """Let the gateway and the bare app take bursts in turn."""
    burst, rounds = (8_000, 3) if quick else (20_000, 5)
    results: list[dict[str, Any]] = []
    with (
        a_child("tests.bench.bare_gateway", "--way", "route") as (_, told),
        a_child("tests.bench.bare_gateway", "--way", "short") as (_, told_of_ceiling),
    ):
        ports = [int(orjson.loads(each)["port"]) for each in (told, told_of_ceiling)]
        await _until_listening(ports)
        # Nothing is sent, so there need be no platform.
        async with machine.house(settings=SETTINGS) as house:
            brand = await open_brand(house, accounts=ACCOUNTS, api_base="http://127.0.0.1:9")
            connection = await asyncpg.connect(house.database)
            doors = await _doors(house, connection, brand)
            numbers = iter(range(1, 2**31))
            drain = await _drained(house, connection, doors, numbers)
            for _ in range(rounds):
                ours = await _burst(machine, house, connection, doors, burst, numbers)
                route, ceiling = [await _bare(p, doors, burst, numbers) for p in ports]
                results.append({**ours, "baseline": route, "ceiling": ceiling})
            await connection.close()
    notes = {"webhooks": burst, "connections": CONNECTIONS, "accounts": ACCOUNTS, **drain}
    return Measured(rate("ingest", "webhooks/s", results), results, notes)


async def _burst(
    machine: Machine,
    house: House,
    connection: asyncpg.Connection,
    doors: Sequence[Door],
    burst: int,
    numbers: Iterator[int],
) -> dict[str, Any]:
    """Send one burst to the gateway; return its rate, latencies and costs."""
    before = {**house.cpu_seconds(), "postgres": machine.postgres_cpu_seconds()}
    load = await pump(
        house.port("gateway"), iter(_webhooks(doors, burst, numbers)), connections=CONNECTIONS
    )
    after = {**house.cpu_seconds(), "postgres": machine.postgres_cpu_seconds()}
    really(load.statuses == {200: burst}, f"the gateway answered {load.statuses}")
    stored, handled = await connection.fetchrow(
        "SELECT count(*), count(*) FILTER (WHERE state <> 'new') FROM gateway.inbox"
    )
    really(stored == burst, f"{burst} were acknowledged and {stored} stored")
    # What is left of this burst must not slow the other side's turn.
    await connection.execute("TRUNCATE gateway.inbox, gateway.work")
    costs = {f"{name}_cpu_us": (after[name] - before[name]) / burst * 1e6 for name in after}
    return {
        "ours": burst / load.seconds,
        "p50_ms": percentile(load.latencies, 0.5) * 1e3,
        "p99_ms": percentile(load.latencies, 0.99) * 1e3,
        "handled_meanwhile": handled,
        **costs,
    }


async def _bare(port: int, doors: Sequence[Door], burst: int, numbers: Iterator[int]) -> float:
    """Send one burst to a bare app; return its rate."""
    load = await pump(port, iter(_webhooks(doors, burst, numbers)), connections=CONNECTIONS)
    really(load.statuses == {200: burst}, f"the bare app answered {load.statuses}")
    return burst / load.seconds


async def _until_listening(ports: Sequence[int]) -> None:
    async with asyncio.timeout(60):
        for port in ports:
            while not await answers(port):
                await asyncio.sleep(0.1)


async def _drained(
    house: House, connection: asyncpg.Connection, doors: Sequence[Door], numbers: Iterator[int]
) -> dict[str, Any]:
    """Let a small burst be handled to its end; return how fast that goes."""
    count = 1_000
    # The first ones open connections, which a busy machine may not manage in time.
    await pump(house.port("gateway"), iter(_webhooks(doors, 200, numbers)), connections=8)
    await connection.execute("TRUNCATE gateway.inbox, gateway.work")
    began = time.perf_counter()
    load = await pump(
        house.port("gateway"), iter(_webhooks(doors, count, numbers)), connections=CONNECTIONS
    )
    really(load.statuses == {200: count}, f"the gateway answered {load.statuses}")
    acknowledged = time.perf_counter() - began
    handled = 0
    while handled < count and time.perf_counter() - began < _DRAIN_WITHIN:
        await asyncio.sleep(0.1)
        handled = await connection.fetchval(
            "SELECT count(*) FROM gateway.inbox WHERE state = 'done'"
        )
    seconds = time.perf_counter() - began
    await connection.execute("TRUNCATE gateway.inbox, gateway.work")
    return {
        "burst_of_1000_acknowledged_after_s": acknowledged,
        "burst_of_1000_handled_after_s": seconds,
        "handled_per_s": handled / seconds,
    }


async def _doors(house: House, connection: asyncpg.Connection, brand: Brand) -> list[Door]:
    """Open the sealed secrets that Telegram would have been told."""
    sealer = Sealer.from_base64(house.keys.sealing_keys["gateway"])
    rows = await connection.fetch("SELECT account_id, secret FROM gateway.route")
    return [
        (
            f"/webhooks/telegram/{account_id}",
            sealer.open(secret, context=secret_context(brand.id, account_id)).decode(),
        )
        for account_id, secret in rows
    ]


def _webhooks(doors: Sequence[Door], count: int, numbers: Iterator[int]) -> list[bytes]:
    """Return so many updates, each a few words of somebody, no two alike."""
    made = []
    for _ in range(count):
        number = next(numbers)
        path, secret = doors[number % len(doors)]
        person = FIRST_ADDRESS + number % PEOPLE
        update = {
            "update_id": number,
            "message": {
                "message_id": number,
                "from": {
                    "id": person,
                    "is_bot": False,
                    "first_name": "Ada",
                    "username": f"ada{person}",
                    "language_code": "it",
                },
                "chat": {
                    "id": person,
                    "first_name": "Ada",
                    "username": f"ada{person}",
                    "type": "private",
                },
                "date": 1_790_000_000,
                "text": f"Do you have the blend of last year? {new_id()}",
            },
        }
        made.append(request("POST", path, orjson.dumps(update), {SECRET_HEADER: secret}))
    return made
