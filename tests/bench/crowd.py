"""A million people who said yes, and a thousand: a database that several benchmarks use in turn.

It is made once for a machine. Each benchmark runs services of its own on it, and finds no campaign
there.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg
import orjson

from services.local.layout import free_ports
from tests.bench.brand import Brand, add_people, open_brand
from tests.bench.campaign import ACCOUNTS, SETTINGS, Sending
from tests.bench.children import a_child
from tests.bench.figures import really
from tests.bench.house import House
from tests.bench.machine import Machine

FEW = 1_000
# Whatever else is in the dispatcher's schema came with a campaign, and goes with it.
_STAYING = (
    "account", "platform_account", "lane", "member", "feed_position", "alembic_version",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Made:
    """What stays between two benchmarks."""

    database: str
    port: int
    """The stub's, which the accounts know."""
    many: Brand
    few: Brand


@dataclass(frozen=True, slots=True)
class Crowd:
    """A house with fresh processes, many people on 16 accounts, and few on 16 others."""

    house: House
    connection: asyncpg.Connection
    people: int
    many: Sending
    few: Sending

    async def clear(self) -> None:
        """Forget every campaign; its messages must have come to rest."""
        rows = await self.connection.fetch(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'dispatcher' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND c.relname <> ALL($1::text[])",
            list(_STAYING),
        )
        listed = ", ".join(f"dispatcher.{row[0]}" for row in rows)
        await self.connection.execute(f"TRUNCATE {listed}")
        await self.connection.execute("CHECKPOINT")


@asynccontextmanager
async def a_crowd(machine: Machine, *, quick: bool) -> AsyncIterator[Crowd]:
    """Run a house on the crowd's database, with a stub; all lanes may speak."""
    people = 50_000 if quick else 1_000_000
    made: _Made | None = machine.kept.get("crowd")
    database = made.database if made else await machine.new_database()
    port = made.port if made else free_ports(1)[0]
    async with AsyncExitStack() as stack:
        stub, line = stack.enter_context(a_child("tests.bench.stub", "--port", str(port)))
        really(orjson.loads(line)["port"] == port, "the stub has another port than before")
        address = f"127.0.0.1:{port}"
        house = await stack.enter_async_context(
            machine.house(allowed=address, database=database, settings=SETTINGS)
        )
        connection = await asyncpg.connect(house.database)
        stack.push_async_callback(connection.close)
        if made is None:
            made = await _make(house, connection, people, port)
            machine.kept["crowd"] = made
        many, few = (
            Sending(machine, house, brand, connection, f"http://{address}", stub.pid)
            for brand in (made.many, made.few)
        )
        crowd = Crowd(house, connection, people, many, few)
        await crowd.clear()
        await many.let_go()
        yield crowd


async def _make(house: House, connection: asyncpg.Connection, people: int, port: int) -> _Made:
    brands: list[Brand] = []
    for first, count in ((0, people), (ACCOUNTS, FEW)):
        brand = await open_brand(
            house, accounts=ACCOUNTS, api_base=f"http://127.0.0.1:{port}", first=first
        )
        await add_people(connection, brand_id=brand.id, accounts=brand.accounts, count=count)
        brands.append(brand)
    return _Made(house.database_name, port, *brands)
