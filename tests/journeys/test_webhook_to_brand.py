"""Journey A: what a person says on a platform travels to the brand, and counts as what it means."""

from tests.house import BOT

STORY_PAYLOAD = "autunno-2026"


async def test_following_a_brands_link_is_a_consent_with_evidence(house):
    (ada,) = await house.people(1, granted=False)
    house.say(ada, f"/start {STORY_PAYLOAD}")
    await house.until(lambda: house.shown(ada))

    assert await house.allowed(ada) == "granted"
    person = await house.call(
        "GET", "/v1/people", params={"account_id": str(house.account_id), "address": ada}
    )
    found = person["items"][0]
    history = await house.call("GET", f"/v1/people/{found['id']}/history")
    grants = [each for each in history["items"] if each["action"] == "grant"]
    assert grants[0]["evidence"]["payload"] == STORY_PAYLOAD
    assert grants[0]["evidence"]["inbox_id"]


async def test_pressing_start_alone_is_no_consent_to_marketing(house):
    (ada,) = await house.people(1, granted=False)
    house.say(ada, "/start")
    await house.until(lambda: house.shown(ada))

    assert await house.allowed(ada) == "no_consent"


async def test_a_message_is_told_to_the_brand_once(house):
    (ada,) = await house.people(1)
    house.say(ada, "Avete la miscela senza cacao?")

    async def told():
        page = await house.call("GET", "/v1/events", params={"type": "message.received"})
        return page["items"]

    await house.until(told)
    assert [event["data"]["text"] for event in await told()] == ["Avete la miscela senza cacao?"]


async def test_a_block_on_the_platform_is_a_no(house):
    (ada,) = await house.people(1)
    house.telegram.block(BOT, ada, blocked=True)

    async def gone():
        return await house.allowed(ada) != "granted"

    await house.until(gone)
    assert await house.allowed(ada) in ("blocked", "revoked")
