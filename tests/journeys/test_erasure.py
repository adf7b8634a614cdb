"""Journey: people are erased through the whole house; nothing of them is left, and their no is."""

import asyncio
from uuid import UUID

import asyncpg
import orjson

from tests.house import House
from tests.postgres import Urls

STORY = {"title": "t", "language": "it", "frames": [{"text": "Ciao"}]}
PEOPLE = 240
ERASED = 80


def canary(address: str, what: str) -> str:
    return f"canary-{what}-{address}-end"


def row(address: str) -> dict[str, object]:
    """A row of a file, with everything that a row can hold."""
    return {
        "address": address,
        "evidence": {
            "source": "shop_till",
            "wording": canary(address, "wording"),
            "at": "2026-01-05T10:00:00Z",
            "ip": "203.0.113.9",
            "user_agent": canary(address, "agent"),
            "url": f"https://aurora.example/{canary(address, 'url')}",
        },
    }


async def imported(house: House, addresses: list[str]) -> dict[str, object]:
    """Import people from a file; return what became of it."""
    lines = b"\n".join(orjson.dumps(row(each)) for each in addresses)
    made = await house.call(
        "POST",
        "/v1/consents/imports",
        params={"account_id": str(house.account_id)},
        content=lines,
        headers={"content-type": "application/x-ndjson"},
    )

    async def done() -> object:
        found = await house.call("GET", f"/v1/consents/imports/{made['id']}")
        return found if found["status"] == "done" else None

    await house.until(done, within=60)
    found: dict[str, object] = await house.call("GET", f"/v1/consents/imports/{made['id']}")
    return found


async def dump(urls: Urls, brand_id: UUID | None) -> dict[str, str]:
    """Every row of every table that one brand may have, as the owner of the tables sees it."""
    connection = await asyncpg.connect(urls.owner)
    try:
        await connection.execute("SELECT set_config('app.brand', $1, false)", str(brand_id))
        tables = await connection.fetch(
            "SELECT schemaname || '.' || relname AS name FROM pg_stat_user_tables"
            " WHERE schemaname IN ('gateway', 'consent', 'dispatcher')"
        )
        found = {}
        for (name,) in tables:
            rows = await connection.fetch(f"SELECT t::text FROM {name} t")
            found[name] = "\n".join(each[0] for each in rows)
        return found
    finally:
        await connection.close()


def told_by(tables: dict[str, str], address: str) -> set[str]:
    """The tables that tell something of a person: plain, or as bytes."""
    spelled = (f"-{address}-end", f'"{address}"', f",{address},", address.encode().hex())
    return {name for name, text in tables.items() if any(each in text for each in spelled)}


async def test_a_message_on_an_account_that_never_heard_of_them_is_forgotten_too(
    house: House,
) -> None:
    (ada,) = await house.people(1)
    second = await house.call(
        "POST",
        "/v1/accounts",
        json={
            "channel": "telegram",
            "name": "Second",
            "credentials": {
                "token": "8300001:AAE-of_a_test",
                "api_base": f"{house.sandbox_url}/telegram",
            },
        },
    )
    message = {
        "account_id": second["id"],
        "address": ada,
        "purpose": "marketing",
        "content": {"text": canary(ada, "text")},
    }
    made = await house.call("POST", "/v1/messages", json=message)
    person = await person_of(house, ada)
    await house.call("DELETE", f"/v1/people/{person['id']}")

    assert (await house.call("GET", f"/v1/messages/{made['id']}"))["address"] is None


async def person_of(house: House, address: str) -> dict[str, object]:
    found = await house.call(
        "GET", "/v1/people", params={"channel": "telegram", "address": address}
    )
    (person,) = found["items"]
    return dict(person)


async def test_of_the_erased_nothing_is_left_in_the_house_and_a_list_does_not_bring_them_back(
    house: House, urls: Urls
) -> None:
    addresses = await house.people(PEOPLE, granted=False)
    assert (await imported(house, addresses))["granted"] == PEOPLE
    named = addresses[: PEOPLE // 2]
    for each in addresses[:8]:
        house.say(each, canary(each, "words"))
    people = {each: str((await person_of(house, each))["id"]) for each in addresses[:ERASED]}
    kept = addresses[-1]
    for who, person_id in [*people.items(), (kept, (await person_of(house, kept))["id"])]:
        change = {"attributes": {"note": canary(who, "attribute")}}
        await house.call("PATCH", f"/v1/people/{person_id}", json=change)
    campaign = await house.campaign(STORY, addresses=named)
    one = {"account_id": str(house.account_id), "purpose": "marketing"}
    for each in addresses[:4]:
        content = {"content": {"text": canary(each, "content")}, "address": each}
        await house.call("POST", "/v1/messages", json={**one, **content})
    before_totals = await house.finished(campaign)
    await house.until(lambda: all(len(house.shown(each)) == 2 for each in addresses[:4]))
    before = await dump(urls, house.brand_id)
    told = set().union(*(told_by(before, each) for each in addresses[:8]))

    gate = asyncio.Semaphore(8)

    async def erase(person_id: str) -> dict[str, object]:
        async with gate:
            answer = await house.call("DELETE", f"/v1/people/{person_id}", expect=200)
            return dict(answer)

    answers = await asyncio.gather(*map(erase, people.values()))

    async def followed() -> bool:
        page = await house.call("GET", "/v1/events", params={"type": "person.erased", "limit": 200})
        return len(page["items"]) == ERASED

    await house.until(followed, within=30)
    after = await dump(urls, house.brand_id)

    assert {name.partition(".")[0] for name in told} == {"gateway", "consent", "dispatcher"}
    assert {each: told_by(after, each) for each in people if told_by(after, each)} == {}
    assert told_by(after, kept) >= {"consent.identity", "consent.person", "consent.state"}
    assert {answer["state"] for answer in answers} == {"erased"}
    assert await house.totals(campaign) == before_totals
    page = await house.call("GET", f"/v1/campaigns/{campaign}/messages", params={"limit": 200})
    gone = [each for each in page["items"] if each["person_id"] in people.values()]
    assert (len(gone), {each["address"] for each in gone}) == (ERASED, {None})
    await house.call("GET", f"/v1/people/{next(iter(people.values()))}", expect=404)
    proof = await house.call("GET", f"/v1/ledger/proofs/{answers[0]['id']}")
    assert proof["entry"]["entry"]["action"] == "erase"
    again = await imported(house, addresses)
    assert (again["suppressed"], again["known"], again["granted"]) == (ERASED, PEOPLE - ERASED, 0)


async def test_an_erasure_waits_for_what_is_in_flight_and_a_fresh_start_counts(
    house: House,
) -> None:
    await house.call("PATCH", "/v1/policy", json={"double_opt_in": False})
    (ada,) = await house.people(1)
    person = await person_of(house, ada)
    async with house.telegram.holding() as arrived:
        await house.campaign(STORY)
        await arrived.wait()
        erasing = asyncio.create_task(house.call("DELETE", f"/v1/people/{person['id']}"))
        done, _ = await asyncio.wait([erasing], timeout=0.5)
        assert not done
    await erasing
    assert await house.allowed(ada) == "no_consent"
    await asyncio.sleep(1.1)  # Telegram tells whole seconds
    house.say(ada, "START")

    async def back() -> bool:
        return await house.allowed(ada) == "granted"

    await house.until(back)
    assert (await person_of(house, ada))["id"] != person["id"]


async def test_ordered_twice_it_is_one_erasure_and_nobody_is_404(house: House) -> None:
    (ada,) = await house.people(1)
    path = f"/v1/people/{(await person_of(house, ada))['id']}"
    later = await house.call("DELETE", path, headers={"prefer": "respond-async"}, expect=202)
    told = await asyncio.gather(*(house.call("DELETE", path, expect=200) for _ in range(3)))

    assert {each["id"] for each in told} == {later["id"]}
    assert len({each["seq"] for each in told}) == 1
    nobody = "/v1/people/019ab0c4-7c00-7000-8000-0000000000ff"
    assert (await house.call("DELETE", nobody, expect=404))["code"] == "unknown_person"
