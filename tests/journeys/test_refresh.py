"""A consent that runs out: its person is asked in time, once, and decides."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.consent.expiring import Expiring
from services.consent.expiry import Expiry
from tests.house import House
from tests.turning import let_pass

STORY = {"title": "t", "language": "it", "frames": [{"text": "Ciao"}]}


async def someone(house: House) -> str:
    """Return somebody whose yes is good for 100 days and was given by the API."""
    rules = {"expires_after_days": {"marketing": 100}}
    await house.call("PATCH", "/v1/policy", json=rules)
    (address,) = await house.people(1)
    return address


async def after(house: House, days: float) -> None:
    assert house.brand_id is not None
    await let_pass(house.registry.database, house.brand_id, timedelta(days=days))
    for worker in (Expiring(house.registry), Expiry(house.registry)):
        while await worker.step():
            pass


async def asked(house: House, address: str) -> dict[str, Any]:
    """Let it be time to ask, and return what is on the phone then."""
    await after(house, 71)
    await house.until(lambda: house.shown(address))
    (message,) = house.shown(address)
    return message


async def lines(house: House, address: str) -> list[dict[str, Any]]:
    query = {"account_id": str(house.account_id), "address": address}
    (person,) = (await house.call("GET", "/v1/people", params=query))["items"]
    told = await house.call("GET", f"/v1/people/{person['id']}/history")
    items: list[dict[str, Any]] = told["items"]
    return items


async def standing(house: House, address: str) -> dict[str, Any]:
    query = {"account_id": str(house.account_id), "address": address}
    (person,) = (await house.call("GET", "/v1/people", params=query))["items"]
    (state,) = person["consents"]
    found: dict[str, Any] = state
    return found


async def events(house: House, kind: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await house.call("GET", "/v1/events", params={"type": kind}))[
        "items"
    ]
    return items


async def settled(house: House, address: str, reason: str) -> None:
    async def so() -> bool:
        return await house.allowed(address) == reason

    await house.until(so)


async def quiet(house: House, address: str, messages: int) -> None:
    """Nothing more comes, though everybody who could send it looks again and again."""
    for _ in range(3):
        await Expiring(house.registry).step()
        await asyncio.sleep(1)
    assert len(house.shown(address)) == messages


async def test_a_yes_on_the_phone_renews_it(house: House) -> None:
    ada = await someone(house)
    message = await asked(house, ada)
    before = await standing(house, ada)
    house.tap(ada, "permesso:yes:")

    async def renewed() -> bool:
        return bool((await standing(house, ada))["since"] > before["since"])

    await house.until(renewed)
    await house.until(lambda: len(house.shown(ada)) == 2)
    after_it = await standing(house, ada)
    grant, refresh, notice, confirm = await lines(house, ada)
    sent = await house.call("GET", f"/v1/messages/{notice['evidence']['notice']['message_id']}")
    (told,) = await events(house, "consent.expiring")

    assert "Aurora" in message["text"]
    assert "STOP" in message["text"]
    assert [b["text"] for b in message["buttons"][0]] == ["Sì, va bene", "No, grazie"]
    assert [each["action"] for each in (grant, refresh, notice, confirm)] == [
        *("grant", "refresh", "notice", "confirm"),
    ]
    assert notice["evidence"]["wording"] == message["text"]
    assert confirm["evidence"]["notice"]["event_id"] == notice["id"]
    assert (sent["purpose"], sent["status"]) == ("marketing", "sent")
    assert told["data"]["expires_at"][:19] == before["expires_at"][:19]
    assert after_it["status"] == "granted"
    assert after_it["expires_at"] > before["expires_at"]
    assert after_it["expires_at"][:10] == confirm["expires_at"][:10]


async def test_a_no_on_the_phone_ends_it_at_once(house: House) -> None:
    ada = await someone(house)
    await asked(house, ada)
    house.tap(ada, "permesso:no:")
    await settled(house, ada, "revoked")
    await house.until(lambda: len(house.shown(ada)) == 2)

    assert [each["action"] for each in await lines(house, ada)][-2:] == ["notice", "revoke"]


async def test_silence_lets_it_end_and_nothing_more_is_asked(house: House) -> None:
    ada = await someone(house)
    await asked(house, ada)
    await after(house, 28)
    assert await house.allowed(ada) == "granted"
    await after(house, 2)
    await settled(house, ada, "expired")
    await quiet(house, ada, messages=1)
    campaign = await house.campaign(STORY, addresses=[ada])
    totals = await house.finished(campaign)

    async def told() -> list[dict[str, Any]]:
        return await events(house, "consent.expired")

    await house.until(told)
    assert totals["withheld"] == {"expired": 1}
    assert len(await events(house, "consent.expiring")) == 1


@pytest.mark.parametrize(("words", "reason"), [("STOP", "revoked"), ("pause 200 days", "paused")])
async def test_who_said_no_or_not_now_is_not_asked(house: House, words: str, reason: str) -> None:
    ada = await someone(house)
    await house.until(lambda: house.telegram.phone(ada) is not None)
    house.say(ada, words)
    await settled(house, ada, reason)
    await house.until(lambda: len(house.shown(ada)) == 1)
    await after(house, 71)
    await quiet(house, ada, messages=1)

    assert await events(house, "consent.expiring") == []


async def test_a_stop_that_overtakes_the_question_is_the_last_word(house: House) -> None:
    """The gate holds the question in flight: its answer waits, and no button brings a yes back."""
    ada = await someone(house)
    async with house.telegram.holding() as arrived:
        await after(house, 71)
        await arrived.wait()
        house.say(ada, "STOP")
        await settled(house, ada, "revoked")
    await house.until(lambda: len(house.shown(ada)) == 2)
    house.tap(ada, "permesso:yes:")
    await house.until(lambda: len(house.shown(ada)) == 3)

    assert await house.allowed(ada) == "revoked"
