"""Journey A: what a person says on a platform travels to the brand, and counts as what it means."""

from tests.house import BOT

STORY_PAYLOAD = "autunno-2026"


async def history(house, address):
    person = await house.call(
        "GET", "/v1/people", params={"account_id": str(house.account_id), "address": address}
    )
    found = person["items"][0]
    return (await house.call("GET", f"/v1/people/{found['id']}/history"))["items"]


async def test_following_a_brands_link_is_a_consent_once_the_notice_is_answered(house):
    (ada,) = await house.people(1, granted=False)
    house.say(ada, f"/start {STORY_PAYLOAD}")
    await house.until(lambda: house.shown(ada))
    before = await house.allowed(ada)
    (notice,) = house.shown(ada)

    house.tap(ada, "permesso:yes:")
    await house.until(lambda: len(house.shown(ada)) == 2)

    assert before == "pending"
    assert [button["text"] for row in notice["buttons"] for button in row] == [
        "Sì, va bene",
        "No, grazie",
    ]
    assert await house.allowed(ada) == "granted"
    grant, served, confirm = await history(house, ada)
    assert [each["action"] for each in (grant, served, confirm)] == ["grant", "notice", "confirm"]
    assert grant["evidence"]["payload"] == STORY_PAYLOAD
    assert grant["evidence"]["inbox_id"]
    assert confirm["evidence"]["wording"] == served["evidence"]["wording"] == notice["text"]
    assert confirm["evidence"]["notice"]["platform_id"] == str(notice["id"])
    assert '"callback_query"' in confirm["evidence"]["raw"]
    message = await house.call("GET", f"/v1/messages/{served['evidence']['notice']['message_id']}")
    assert message["status"] == "sent"


async def test_who_declines_the_notice_is_not_written_to(house):
    (ada,) = await house.people(1, granted=False)
    house.say(ada, f"/start {STORY_PAYLOAD}")
    await house.until(lambda: house.shown(ada))

    house.tap(ada, "permesso:no:")
    await house.until(lambda: len(house.shown(ada)) == 2)

    assert await house.allowed(ada) == "revoked"


async def test_a_brands_own_notice_is_what_people_see(house):
    wordings = {"it": "{brand} ti scrive ogni lunedì. Per smettere, scrivi STOP."}
    made = await house.call("POST", "/v1/notices", json={"wordings": wordings})
    (ada,) = await house.people(1, granted=False)
    house.say(ada, "/start")
    await house.until(lambda: house.shown(ada))
    house.say(ada, "sì")
    await house.until(lambda: len(house.shown(ada)) == 2)

    assert house.shown(ada)[0]["text"] == "Aurora ti scrive ogni lunedì. Per smettere, scrivi STOP."
    assert await house.allowed(ada) == "granted"
    confirm = (await history(house, ada))[-1]
    assert confirm["evidence"]["notice"]["id"] == made["id"]
    assert confirm["evidence"]["notice"]["digest"] == made["wordings"]["it"]["digest"]
    assert confirm["evidence"]["text"] == "sì"


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
