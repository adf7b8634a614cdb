"""The worker: one person's rows in order, nobody held up by another, nothing lost."""

import asyncio

import pytest

from services.gateway import inbox as worker
from services.gateway.handle import Handler
from tests.gateway.gateways import message, running, settings_for, until


async def test_one_persons_messages_stay_in_order(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)

    await asyncio.gather(
        *(gateway.hears(account, message(100 * chat, f"{chat}", chat=chat)) for chat in range(1, 9))
    )
    for number in range(1, 15):
        await gateway.hears(account, message(10_000 + number, f"{number}", chat=1))
    await gateway.settle()

    told = [e.data["text"] for e in gateway.desk.events.values() if e.data["address"] == "1"]
    assert told == ["1", *map(str, range(1, 15))]


async def test_a_person_who_waits_for_a_halt_holds_up_nobody(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)
    gateway.desk.settled = False

    await gateway.hears(account, message(1, "stop", chat=7))
    await gateway.desk.halted.wait()
    await gateway.hears(account, message(2, "ciao", chat=8))

    async def told():
        return [e.data["address"] for e in gateway.desk.events.values()] == ["8"]

    await until(told)
    gateway.desk.settled = True
    await gateway.settle()
    assert len(gateway.desk.events) == 2


async def test_while_consent_is_away_rows_wait_and_nothing_is_lost(gateway, aurora):
    brand_id, client = aurora
    account = await gateway.telegram(client)
    gateway.consent_down.set()
    for number in range(1, 6):
        answer = await gateway.hears(account, message(number, f"{number}", chat=5))
        assert answer.status_code == 200

    async def tried():
        async with gateway.house.database.connection() as connection:
            return await connection.fetchval("SELECT max(tries) FROM gateway.work") > 0

    await until(tried)
    assert gateway.desk.events == {}
    gateway.consent_down.clear()
    await gateway.settle()

    assert [e.data["text"] for e in gateway.desk.events.values()] == list("12345")
    rows = await gateway.rows(brand_id)
    assert {(row["state"], row["attempts"]) for row in rows} == {("done", 0)}


async def test_while_the_dispatcher_is_away_rows_wait_and_a_stop_is_recorded(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)
    await gateway.hears(account, message(1, "start"))
    await gateway.settle()
    gateway.desk.down = True

    await gateway.hears(account, message(2, "stop"))

    async def revoked():
        body = {"channel": "telegram", "purpose": "marketing", "addresses": ["42"]}
        answer = await client.post("/v1/consents/check", json=body)
        return answer.json()["results"][0]["reason"] == "revoked"

    await until(revoked)
    assert len(gateway.desk.messages) == 1
    gateway.desk.down = False
    await gateway.settle()
    assert len(gateway.desk.messages) == 2
    assert len(gateway.desk.halts) >= 1


async def test_a_row_that_breaks_dies_and_the_next_one_goes_on(gateway, aurora, monkeypatch):
    brand_id, client = aurora
    account = await gateway.telegram(client)
    handle = Handler.handle

    async def fragile(self, letter):
        if b"poison" in letter.body:
            raise KeyError("a bug of ours")
        return await handle(self, letter)

    monkeypatch.setattr(Handler, "handle", fragile)
    monkeypatch.setattr(worker, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(worker, "_LONGEST_PAUSE", 0.01)

    await gateway.hears(account, message(1, "poison"))
    await gateway.hears(account, message(2, "ciao"))
    await gateway.settle()

    dead, done = await gateway.rows(brand_id)
    assert (dead["state"], dead["reason"], dead["attempts"]) == ("dead", "KeyError", 10)
    assert (done["state"], done["attempts"]) == ("done", 0)
    assert len(gateway.desk.events) == 1


async def test_what_was_stored_before_a_death_is_handled_after_it(urls):
    settings = settings_for(urls)
    async with running(urls, settings=settings) as first:
        _, client = await first.brand()
        account = await first.telegram(client)
        first.consent_down.set()
        for number in range(1, 4):
            await first.hears(account, message(number, f"{number}"))
        desk = first.desk
    assert desk.events == {}

    async with running(urls, settings=settings, desk=desk) as second:
        await second.settle()

    assert [event.data["text"] for event in desk.events.values()] == ["1", "2", "3"]


async def test_two_gateways_share_the_work_and_do_none_of_it_twice(urls):
    settings = settings_for(urls)
    async with running(urls, settings=settings) as first:
        _, client = await first.brand()
        account = await first.telegram(client)
        async with running(urls, settings=settings, desk=first.desk) as second:

            async def shared():
                return (
                    len(first.house.inbox.slices.held) == len(second.house.inbox.slices.held) == 8
                )

            await until(shared)
            for number in range(1, 41):
                via = first if number % 2 else second
                await via.hears(account, message(number, "ciao", chat=number))
            await first.settle()

    assert len(first.desk.events) == first.desk.events_told == 40


async def test_a_flood_is_stored_first_and_handled_all_the_same(gateway, aurora, monkeypatch):
    _, client = aurora
    account = await gateway.telegram(client)
    monkeypatch.setattr(gateway.house.inbox, "_flooded", lambda: True)

    await asyncio.gather(
        *(gateway.hears(account, message(n, "ciao", chat=n)) for n in range(1, 60))
    )
    await gateway.settle()

    assert len(gateway.desk.events) == 59


@pytest.mark.parametrize("tries", [0, 3, 1000])
def test_a_pause_grows_and_ends(tries):
    pause = worker._pause(tries, 30.0)
    assert 0.1 < pause <= 36.0
