"""Campaigns and a bare loop that take turns on one stub: what the sending benchmarks share."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import asyncpg
import orjson

from services.local.keys import SERVICES
from tests.bench.brand import add_people, open_brand
from tests.bench.campaign import ACCOUNTS, IN_FLIGHT, SETTINGS, Sending
from tests.bench.children import a_child, told
from tests.bench.figures import Measured, rate
from tests.bench.house import House
from tests.bench.machine import Machine


@dataclass(frozen=True, slots=True)
class Road:
    """A channel, the stub at its far end, and who goes to it without us."""

    channel: str
    stub: str
    bare: str


TELEGRAM = Road("telegram", "tests.bench.stub", "tests.bench.bare_aiogram")
WEBHOOK = Road("webhook", "tests.bench.stub_webhook", "tests.bench.bare_aiohttp")


@dataclass(frozen=True, slots=True)
class OnTheRoad:
    """A house that can send, and where to."""

    house: House
    sending: Sending
    connection: asyncpg.Connection
    port: int
    """The stub's."""


Ready = Callable[[OnTheRoad], Awaitable[None]]
"""Waits until it is worth beginning."""
Proof = Callable[[OnTheRoad, int], Awaitable[dict[str, Any]]]
"""Looks at what a campaign to so many people left; returns what goes into the round."""


@asynccontextmanager
async def on_the_road(
    machine: Machine,
    road: Road,
    people: int,
    *,
    services: Sequence[str] = SERVICES,
    database: str = "",
    through: Mapping[str, Sequence[str]] = MappingProxyType({}),
    settings: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[OnTheRoad]:
    """Run a house with one brand, 16 accounts and so many people who said yes, and a stub."""
    async with AsyncExitStack() as stack:
        stub, line = stack.enter_context(a_child(road.stub))
        port = int(orjson.loads(line)["port"])
        address = f"127.0.0.1:{port}"
        house = await stack.enter_async_context(
            machine.house(
                services,
                allowed=address,
                database=database,
                through=through,
                settings={**SETTINGS, **settings},
            )
        )
        brand = await open_brand(
            house, accounts=ACCOUNTS, api_base=f"http://{address}", channel=road.channel
        )
        connection = await asyncpg.connect(house.database)
        stack.push_async_callback(connection.close)
        await add_people(
            connection,
            brand_id=brand.id,
            accounts=brand.accounts,
            count=people,
            channel=road.channel,
        )
        sending = Sending(machine, house, brand, connection, f"http://{address}", stub.pid)
        yield OnTheRoad(house, sending, connection, port)


async def side_by_side(
    name: str,
    machine: Machine,
    road: Road,
    *,
    quick: bool,
    services: Sequence[str] = SERVICES,
    ready: Ready | None = None,
    proof: Proof | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Measured:
    """Let a campaign and the bare loop take turns; the figure is in messages a second."""
    people, bare, rounds = (4_000, 2_000, 3) if quick else (20_000, 8_000, 5)
    results: list[dict[str, Any]] = []
    async with on_the_road(machine, road, people, services=services, settings=settings) as on:
        with a_child(road.bare, "--port", str(on.port)) as (baseline, _):
            if ready is not None:
                await ready(on)
            # The first campaign of a process opens the accounts, the connections, the plans.
            await on.sending.campaign(people)
            for _ in range(rounds):
                ours = await on.sending.campaign(people)
                if proof is not None:
                    ours |= await proof(on, people)
                theirs = await told(baseline, bare)
                results.append(
                    {
                        "ours": ours.pop("rate"),
                        "baseline": theirs.pop("rate"),
                        **{f"baseline_{name}": value for name, value in theirs.items()},
                        **ours,
                    }
                )
    notes = {"people": people, "accounts": ACCOUNTS, "calls": IN_FLIGHT}
    return Measured(rate(name, "messages/s", results), results, notes)
