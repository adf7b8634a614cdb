"""A yes that has to wait: at night until the morning, under a cap until there is room.

Nothing is dropped: a deferred message says what it waits for and until when, and goes then. The
tests turn no clock: hours are set around this moment, and what was decided is moved in the tables.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from tests.house import House

STORY = {"title": "Autunno", "language": "it", "frames": [{"text": "Novità"}]}


@pytest.fixture
async def owner(urls):
    """The database as its owner, by whom what is due tomorrow becomes due now."""
    connection = await asyncpg.connect(urls.owner)
    yield connection
    await connection.close()


def around_now() -> dict[str, str]:
    """Hours that hold now where the brand is, and for two more."""
    local = datetime.now(ZoneInfo("Europe/Rome"))
    start, end = local - timedelta(hours=1), local + timedelta(hours=2)
    return {"start": f"{start:%H:%M}", "end": f"{end:%H:%M}"}


async def waiting(house: House, campaign_id: str, number: int, reason: str) -> list[Any]:
    """Wait until so many messages of a campaign wait for this reason; return them."""
    found: list[Any] = []

    async def look() -> bool:
        page = await house.call("GET", f"/v1/campaigns/{campaign_id}/messages?status=queued")
        found[:] = [each for each in page["items"] if each["reason"] == reason]
        return len(found) == number

    await house.until(look)
    return found


async def test_at_night_a_campaign_waits_for_the_morning_and_says_so(
    house: House, owner: asyncpg.Connection
) -> None:
    people = await house.people(5)
    person = (await house.call("GET", f"/v1/people?channel=telegram&address={people[0]}"))["items"]
    far = {"timezone": "Pacific/Auckland"}
    await house.call("PATCH", f"/v1/people/{person[0]['id']}", json=far)
    await house.call("PATCH", "/v1/policy", json={"quiet_hours": around_now()})
    told = await house.call("POST", "/v1/stories", json=STORY)
    wanted = {
        "name": "Notte",
        "story_id": told["id"],
        "purpose": "marketing",
        "account_ids": [str(house.account_id)],
        "audience": {"everyone": True},
    }
    made = await house.call("POST", "/v1/campaigns", json=wanted)
    preflight = await house.call("POST", f"/v1/campaigns/{made['id']}/preflight")
    await house.call("POST", f"/v1/campaigns/{made['id']}/launch")
    queued = await waiting(house, made["id"], 4, "quiet_hours")
    totals = await house.totals(made["id"])
    status = (await house.call("GET", f"/v1/campaigns/{made['id']}"))["status"]
    until = {datetime.fromisoformat(each["due_at"]) for each in queued}

    assert (preflight["eligible"], preflight["deferred"]) == (5, {"quiet_hours": 4})
    assert (totals["sent"], totals["queued"], status) == (1, 4, "running")
    assert len(until) == 1
    assert timedelta(hours=1) < until.pop() - datetime.now(UTC) <= timedelta(hours=2)
    assert [bool(house.shown(each)) for each in people] == [True] + 4 * [False]

    # Morning comes: the hours are over, and what waited is due.
    await house.call("PATCH", "/v1/policy", json={"quiet_hours": None})
    await owner.execute("UPDATE dispatcher.slip SET due_at = now()")
    await owner.execute("UPDATE dispatcher.lane SET wake_at = now()")
    totals = await house.finished(made["id"])

    assert (totals["sent"], totals["withheld"]) == (5, {})
    assert [len(house.shown(each)) for each in people] == [1] * 5


async def test_what_would_be_too_late_then_is_withheld_for_what_it_would_wait_for(
    house: House,
) -> None:
    await house.people(3)
    await house.call("PATCH", "/v1/policy", json={"quiet_hours": around_now()})
    told = await house.call("POST", "/v1/stories", json=STORY)
    wanted = {
        "name": "Solo oggi",
        "story_id": told["id"],
        "purpose": "marketing",
        "account_ids": [str(house.account_id)],
        "audience": {"everyone": True},
        "deadline": (datetime.now(UTC) + timedelta(minutes=30)).isoformat(),
    }
    made = await house.call("POST", "/v1/campaigns", json=wanted)
    await house.call("POST", f"/v1/campaigns/{made['id']}/launch")

    assert (await house.finished(made["id"]))["withheld"] == {"quiet_hours": 3}


async def test_a_cap_holds_over_campaigns_and_nobody_gets_more_than_it_allows(
    house: House, owner: asyncpg.Connection
) -> None:
    people = await house.people(4)
    await house.call("PATCH", "/v1/policy", json={"caps": [{"messages": 2, "days": 7}]})
    campaigns = [await house.campaign(STORY) for _ in range(3)]
    await house.until(lambda: all(len(house.shown(each)) == 2 for each in people))
    held: list[Any] = []

    async def all_decided() -> bool:
        totals = [await house.totals(each) for each in campaigns]
        return sum(each["sent"] for each in totals) == 8

    await house.until(all_decided)
    for campaign in campaigns:
        page = await house.call("GET", f"/v1/campaigns/{campaign}/messages?status=queued")
        held += page["items"]
    until = [datetime.fromisoformat(each["due_at"]) - datetime.now(UTC) for each in held]

    assert len(held) == 4
    assert {each["reason"] for each in held} == {"capped"}
    assert all(timedelta(days=6, hours=23) < each <= timedelta(days=7) for each in until)
    assert [len(house.shown(each)) for each in people] == [2] * 4

    # A week goes by.
    await owner.execute(
        "UPDATE consent.contact"
        " SET at = ARRAY(SELECT each - interval '7 days' FROM unnest(at) AS each)"
    )
    await owner.execute("UPDATE dispatcher.slip SET due_at = now()")
    await owner.execute("UPDATE dispatcher.lane SET wake_at = now()")
    for campaign in campaigns:
        await house.finished(campaign)

    assert [len(house.shown(each)) for each in people] == [3] * 4


async def test_one_message_waits_too_and_a_service_message_does_not(house: House) -> None:
    [address] = await house.people(1)
    await house.consent(address, "grant", purpose="service")
    await house.call("PATCH", "/v1/policy", json={"quiet_hours": around_now()})

    async def send(purpose: str) -> Any:
        body = {
            "account_id": str(house.account_id),
            "address": address,
            "purpose": purpose,
            "content": {"text": purpose},
        }
        return await house.call("POST", "/v1/messages", json=body)

    news, service = await send("marketing"), await send("service")
    await house.until(lambda: len(house.shown(address)) == 1)
    checked = await house.call(
        "POST",
        "/v1/consents/check",
        json={"channel": "telegram", "purpose": "marketing", "addresses": [address]},
    )

    assert (news["status"], news["reason"]) == ("queued", "quiet_hours")
    assert service["status"] == "queued"
    assert [each["text"] for each in house.shown(address)] == ["service"]
    assert checked["results"][0]["until"] == news["due_at"]


async def test_who_says_stop_while_a_message_waits_never_gets_it(
    house: House, owner: asyncpg.Connection
) -> None:
    [address] = await house.people(1)
    await house.call("PATCH", "/v1/policy", json={"quiet_hours": around_now()})
    campaign_id = await house.campaign(STORY)
    await waiting(house, campaign_id, 1, "quiet_hours")
    house.say(address, "STOP")
    await house.until(lambda: len(house.shown(address)) == 1)
    totals = await house.finished(campaign_id)

    assert totals["cancelled"] == 1
    assert (
        await owner.fetchval("SELECT status FROM dispatcher.message WHERE campaign_id IS NOT NULL")
        == "cancelled"
    )
