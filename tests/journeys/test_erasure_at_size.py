"""Journey: a thousand people are erased, and a dump of the database knows none of them."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from services.consent import erasure, export, people
from services.dispatcher.forgetting import forget
from services.local.postgres import environment
from services.local.runner import find_programs, find_runner
from shared.contracts.consent import PersonChange
from shared.contracts.erasures import EraseIn
from shared.contracts.forgetting import Forget, Place
from shared.database import Database
from shared.ids import new_id
from shared.ledger import verify
from tests.house import House, a_house
from tests.postgres import Urls

STORY = {"title": "t", "language": "it", "frames": [{"text": "Ciao"}]}
KEPT = 100
ERASED = 1_000
BY_CALL = 100
SPOKE = 12
IN_A_DUMP = {"address", "name", "tag", "attribute", "words"}
"""What is searched by, or still kept as it came in. Evidence is under seal."""
_CANARY = re.compile(r"canary-([a-z]+)-([0-9]+)-end")
_IP = re.compile(r"2001:db8::([0-9]{4}):([0-9]+)(?![0-9])")
_NUMBER = re.compile(r"(?<![0-9A-Za-z])[0-9]{6,}(?![0-9A-Za-z])")
_BYTES = re.compile(r"\\\\x((?:[0-9a-f]{2})+)")


def canary(address: str, what: str) -> str:
    return f"canary-{what}-{address}-end"


def row(address: str) -> dict[str, object]:
    """A row of a file, with everything that a row can hold."""
    return {
        "address": address,
        "tags": [canary(address, "tag")],
        "evidence": {
            "source": "shop_till",
            "wording": canary(address, "wording"),
            "at": "2026-01-05T10:00:00Z",
            "ip": f"2001:db8::{address[:4]}:{address[4:]}",
            "user_agent": canary(address, "agent"),
        },
    }


@dataclass
class Town:
    """Who lives there; the first ones are erased, and of both kinds half are messaged."""

    house: House
    urls: Urls
    erased: list[str]
    kept: list[str]
    ids: dict[str, UUID] = field(default_factory=dict)

    @property
    def messaged(self) -> list[str]:
        return [*self.erased[: len(self.erased) // 2], *self.kept[: len(self.kept) // 2]]

    @property
    def spoke(self) -> list[str]:
        return [*self.erased[:SPOKE], *self.kept[:SPOKE]]

    async def rows(self, statement: str) -> list[Any]:
        """Ask as the owner of the tables, who sees what the brand has."""
        connection = await asyncpg.connect(self.urls.owner)
        try:
            brand = str(self.house.brand_id)
            await connection.execute("SELECT set_config('app.brand', $1, false)", brand)
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    async def counted(self, statement: str, wanted: int) -> None:
        """Wait until there are so many."""

        async def there() -> bool:
            return (await self.rows(statement))[0][0] == wanted

        await self.house.until(there, within=60)

    async def imported(self) -> dict[str, Any]:
        """Bring everybody in from one file; return what became of it."""
        lines = b"\n".join(orjson.dumps(row(each)) for each in [*self.erased, *self.kept])
        made = await self.house.call(
            "POST",
            "/v1/consents/imports",
            params={"account_id": str(self.house.account_id)},
            content=lines,
            headers={"content-type": "application/x-ndjson"},
        )
        found: dict[str, Any] = {}

        async def done() -> bool:
            found.update(await self.house.call("GET", f"/v1/consents/imports/{made['id']}"))
            return found["status"] == "done"

        await self.house.until(done, within=60)
        return found


async def each(
    items: Iterable[Any], does: Callable[[Any], Awaitable[Any]], *, at_once: int
) -> None:
    gate = asyncio.Semaphore(at_once)

    async def one(item: Any) -> None:
        async with gate:
            await does(item)

    async with asyncio.TaskGroup() as group:
        for item in items:
            group.create_task(one(item))


async def lived(town: Town) -> None:
    """Let everybody be known, half of them be written to, and some write."""
    house = town.house
    assert (await town.imported())["granted"] == len(town.erased) + len(town.kept)
    found = await town.rows("SELECT address, person_id FROM consent.identity")
    town.ids.update((address, UUID(int=who.int)) for address, who in found)

    async def noted(address: str) -> None:
        about = {"name": canary(address, "name"), "note": canary(address, "attribute")}
        await people.change_person(
            house.registry.database,
            brand_id=_brand(town),
            person_id=town.ids[address],
            change=PersonChange(attributes=about),
        )

    await each(town.ids, noted, at_once=4)
    for address in town.spoke:
        house.say(address, canary(address, "words"))
    received = "SELECT count(*) FROM dispatcher.event WHERE type = 'message.received'"
    await town.counted(received, len(town.spoke))
    await house.finished(await house.campaign(STORY, addresses=town.messaged))


async def erased(town: Town) -> None:
    """Erase some by the call, and the others by the functions that it leads to."""
    registry, brand_id = town.house.registry, _brand(town)
    database = Database(town.urls.dispatcher, pool_size=4)

    async def by_call(address: str) -> None:
        await town.house.call("DELETE", f"/v1/people/{town.ids[address]}", expect=200)

    async def in_place(address: str) -> None:
        person_id = town.ids[address]
        places = (Place(account_id=town.house.account_id, address=address),)
        await forget(database, Forget(brand_id=brand_id, person_id=person_id, places=places))
        await erasure.erase(registry, brand_id, person_id, EraseIn(id=new_id(), by="brand"))

    await each(town.erased[:BY_CALL], by_call, at_once=8)
    await each(town.erased[BY_CALL:], in_place, at_once=4)
    await database.close()
    told = "SELECT count(*) FROM dispatcher.event WHERE type = 'person.erased'"
    await town.counted(told, len(town.erased))


def dump(urls: Urls) -> str:
    """The whole database, as a backup of it would hold it; what is bytes there, as text too."""
    runner = find_runner()
    done = subprocess.run(
        [str(find_programs(runner) / "pg_dump"), f"--dbname={urls.owner}"],
        check=True,
        capture_output=True,
        cwd="/",
        env=environment(),
        timeout=60,
        **runner.process_options(),
    )
    text = done.stdout.decode()
    hidden = (bytes.fromhex(found).decode("latin-1") for found in _BYTES.findall(text))
    return "\n".join([text, *hidden])


def told(text: str, addresses: Iterable[str]) -> dict[str, set[str]]:
    """Of whom a text tells, by what it tells."""
    known = set(addresses)
    found: dict[str, set[str]] = {"address": known & set(_NUMBER.findall(text))}
    for what, address in _CANARY.findall(text):
        found.setdefault(what, set()).add(address)
    found["ip"] = {first + rest for first, rest in _IP.findall(text)}
    return {what: who & known for what, who in found.items() if who & known}


def _brand(town: Town) -> UUID:
    assert town.house.brand_id is not None
    return town.house.brand_id


@pytest.fixture
async def town(urls: Urls) -> AsyncIterator[Town]:
    async with a_house(urls) as house:
        await house.open_brand(settings={"per_second": 1000})
        addresses = await house.people(ERASED + KEPT, granted=False)
        yield Town(house, urls, addresses[:ERASED], addresses[ERASED:])


async def opened(town: Town) -> dict[bool, set[UUID]]:
    """Whose lines of the ledger the service's own keys open, and whose they do not."""
    registry, brand_id = town.house.registry, _brand(town)
    async with registry.database.connection(brand_id) as connection:
        lines = await connection.fetch(
            "SELECT id, person_id, sealed FROM consent.event WHERE brand_id = $1", brand_id
        )
        everybody = {UUID(int=line["person_id"].int) for line in lines}
        halves = await registry.evidences.of(connection, brand_id, everybody)
    found: dict[bool, set[UUID]] = {True: set(), False: set()}
    for line in lines:
        who = UUID(int=line["person_id"].int)
        content = halves.reveal(
            line["sealed"], person_id=who, brand_id=brand_id, event_id=line["id"]
        )
        found[content is not None].add(who)
    return found


async def verified(town: Town) -> verify.Verification:
    """Verify the exported log offline, once the notary has signed all there is."""
    registry = town.house.registry
    ((count,),) = await town.rows("SELECT count(*) FROM consent.event")
    key = verify.read_key(str(registry.signers.of(_brand(town)).key))
    done = verify.Verification([key])

    async def whole() -> bool:
        nonlocal done
        lines = export.lines(registry.database, registry.signers, _brand(town))
        done = verify.verify([line async for line in lines], [key])
        return done.tree.size == count

    await town.house.until(whole, within=30)
    return done


async def test_a_dump_knows_nobody_of_a_thousand_erased_and_everybody_else(town: Town) -> None:
    await lived(town)
    before = dump(town.urls)
    await erased(town)
    after = dump(town.urls)

    assert told(before, town.erased).keys() == IN_A_DUMP
    assert told(before, town.erased)["address"] == set(town.erased)
    assert told(after, town.erased) == {}
    assert told(after, town.kept) == told(before, town.kept)
    assert told(after, town.kept)["name"] == set(town.kept)
    told_of = await opened(town)
    assert told_of[False] == {town.ids[who] for who in town.erased}
    assert told_of[True] == {town.ids[who] for who in town.kept}
    done = await verified(town)
    assert done.findings == []
    again = await town.imported()
    assert (again["suppressed"], again["known"], again["granted"]) == (ERASED, KEPT, 0)
