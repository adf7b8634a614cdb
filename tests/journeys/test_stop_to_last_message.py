"""Journey C: a STOP catches up with the last message in flight."""

import asyncio

import pytest

STORY = {"title": "t", "language": "it", "frames": [{"text": "Ciao"}]}


async def test_a_stop_is_confirmed_only_when_nothing_flies(house):
    """The gate holds her message in flight: as long as it is there, there is no confirmation."""
    (ada,) = await house.people(1)
    async with house.telegram.holding() as arrived:
        await house.campaign(STORY)
        await arrived.wait()
        house.say(ada, "basta, grazie")

        async def heard():
            return await house.allowed(ada) == "revoked"

        await house.until(heard)
        await asyncio.sleep(0.3)
        assert house.telegram.gate.waiting == 1, "a confirmation left before her message had landed"
    await house.until(lambda: len(house.shown(ada)) == 2)

    first, second = house.shown(ada)
    assert first["text"] == "Ciao"
    assert second["text"] != "Ciao"


async def test_an_api_revocation_answers_only_when_it_is_in_force(house):
    (ada,) = await house.people(1)
    async with house.telegram.holding() as arrived:
        await house.campaign(STORY)
        await arrived.wait()
        revoking = asyncio.create_task(house.consent(ada, "revoke"))
        done, _ = await asyncio.wait([revoking], timeout=0.5)
        assert not done
    answer = await revoking

    assert answer["state"] == "revoked"
    assert len(house.shown(ada)) == 1


async def test_a_dead_end_delays_the_answer_by_six_seconds_and_no_more(house):
    (ada,) = await house.people(1)
    async with house.telegram.holding() as arrived:
        await house.campaign(STORY)
        await arrived.wait()
        began = asyncio.get_running_loop().time()
        await house.consent(ada, "revoke")
        took = asyncio.get_running_loop().time() - began

    assert 5.5 < took < 8


async def test_who_asks_to_be_told_later_is_told_by_an_event(house):
    (ada,) = await house.people(1)
    headers = {"prefer": "respond-async"}
    body = {
        "account_id": str(house.account_id),
        "address": ada,
        "purpose": "marketing",
        "action": "revoke",
        "evidence": {"source": "test"},
    }
    await house.call("POST", "/v1/consents", json=body, headers=headers, expect=202)

    async def told():
        page = await house.call("GET", "/v1/events", params={"type": "consent.revoked"})
        return page["items"]

    await house.until(told)
    assert (await told())[0]["data"]["address"] == ada


@pytest.mark.parametrize("word", ["STOP", "basta, grazie", "unsubscribe"])
async def test_a_stop_ends_what_was_still_to_come(house, word):
    people = await house.people(12)
    async with house.telegram.holding() as arrived:
        campaign = await house.campaign(STORY)
        await arrived.wait()
        flying = {entry for entry in people if not house.shown(entry)}
        last = people[-1]
        house.say(last, word)

        async def heard():
            return await house.allowed(last) == "revoked"

        await house.until(heard)
    totals = await house.finished(campaign)
    await house.until(lambda: any(m["text"] != "Ciao" for m in house.shown(last)))

    assert flying
    assert totals["accepted"] == 12
    confirmations = [m for m in house.shown(last) if m["text"] != "Ciao"]
    assert len(confirmations) == 1


async def test_start_after_stop_is_a_new_consent(house):
    (ada,) = await house.people(1)
    await house.consent(ada, "revoke")
    # Telegram tells whole seconds, and on a tie the revocation wins.
    house.telegram.clock.advance(2)
    house.say(ada, "START")
    await house.until(lambda: len(house.shown(ada)) == 1)
    asked = await house.allowed(ada)
    house.tap(ada, "permesso:yes:")

    async def back():
        return await house.allowed(ada) == "granted"

    await house.until(back)
    campaign = await house.campaign(STORY)
    assert asked == "pending"
    assert (await house.finished(campaign))["sent"] == 1


async def test_a_stop_said_twice_is_answered_once_each_and_changes_nothing_more(house):
    (ada,) = await house.people(1)
    house.say(ada, "STOP")
    await house.until(lambda: len(house.shown(ada)) == 1)
    house.say(ada, "STOP")
    await house.until(lambda: len(house.shown(ada)) == 2)

    assert await house.allowed(ada) == "revoked"
