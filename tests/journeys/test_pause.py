"""A pause that was confirmed: nothing of marketing starts until it ends."""

import asyncio

import pytest

STORY = {"title": "t", "language": "it", "frames": [{"text": "Ciao"}]}
PAUSE = "non scrivetemi per due settimane"
DOUBTFUL = "maybe I should unsubscribe"


@pytest.mark.parametrize("words", [PAUSE, DOUBTFUL])
async def test_a_pause_is_answered_only_when_nothing_flies(house, words):
    """The gate holds her message in flight: as long as it is there, there is no answer."""
    (ada,) = await house.people(1)
    async with house.telegram.holding() as arrived:
        await house.campaign(STORY)
        await arrived.wait()
        house.say(ada, words)

        async def heard():
            return await house.allowed(ada) == "paused"

        await house.until(heard)
        await asyncio.sleep(0.3)
        assert house.telegram.gate.waiting == 1, "an answer left before her message had landed"
    await house.until(lambda: len(house.shown(ada)) == 2)

    first, second = house.shown(ada)
    assert first["text"] == "Ciao"
    assert "START" in second["text"]


async def test_a_pause_ends_what_was_still_to_come(house):
    people = await house.people(12)
    async with house.telegram.holding() as arrived:
        campaign = await house.campaign(STORY)
        await arrived.wait()
        last = people[-1]
        house.say(last, PAUSE)

        async def heard():
            return await house.allowed(last) == "paused"

        await house.until(heard)
    totals = await house.finished(campaign)
    await house.until(lambda: any(m["text"] != "Ciao" for m in house.shown(last)))

    assert totals["accepted"] == 12
    assert len([m for m in house.shown(last) if m["text"] != "Ciao"]) == 1


async def test_who_paused_is_counted_as_such_and_comes_back_with_a_start(house):
    ada, bob = await house.people(2)
    house.say(ada, "pause 30 days")

    async def paused():
        return await house.allowed(ada) == "paused"

    await house.until(paused)
    told = await house.call("POST", "/v1/stories", json=STORY)
    body = {
        "name": "Autunno",
        "story_id": told["id"],
        "purpose": "marketing",
        "account_ids": [str(house.account_id)],
        "audience": {"everyone": True},
    }
    campaign = await house.call("POST", "/v1/campaigns", json=body)
    preflight = await house.call("POST", f"/v1/campaigns/{campaign['id']}/preflight")
    named = await house.campaign(STORY, addresses=[ada, bob])
    totals = await house.finished(named)
    # Telegram tells whole seconds, and on a tie the pause wins.
    house.telegram.clock.advance(2)
    house.say(ada, "START")

    async def back():
        return await house.allowed(ada) == "granted"

    await house.until(back)
    after = await house.call("POST", f"/v1/campaigns/{campaign['id']}/preflight")

    assert (preflight["eligible"], preflight["excluded"]) == (1, {"paused": 1})
    assert (totals["sent"], totals["withheld"]) == (1, {"paused": 1})
    assert (after["eligible"], after["excluded"]) == (2, {})


async def test_brands_are_told_of_it(house):
    (ada,) = await house.people(1)
    await house.consent(ada, "pause", evidence=None)

    async def told():
        page = await house.call("GET", "/v1/events", params={"type": "consent.paused"})
        return page["items"]

    await house.until(told)
    data = (await told())[0]["data"]
    assert (data["address"], data["purposes"]) == (ada, ["marketing", "measuring"])
    assert data["expires_at"] is not None
