"""A campaign's life as a brand leads it: tried out, split, stopped within a second, resumed."""

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.house import BOT, House

STORY = {"title": "t", "language": "it", "frames": [{"text": "Ciao"}]}
WITHIN = 1.0
"""Seconds from the answer to a pause or cancel to the last send, at most."""


@pytest.fixture
async def quick(house: House) -> House:
    """A bot that may write sixty times a second, to two hundred people."""
    house.telegram.set_limits(None, {"per_second": 0, "chat_per_second": 0})
    await house.call(
        "PATCH", f"/v1/accounts/{house.account_id}", json={"settings": {"per_second": 60}}
    )
    for _ in range(10):
        await house.people(20)
    return house


def sends(house: House) -> list[int]:
    """When each message arrived at the platform, in nanoseconds of the monotonic clock."""
    return [e["at_ns"] for e in house.telegram.log.since(0) if e["method"] == "sendMessage"]


async def drafted(house: House, **fields: object) -> str:
    told = await house.call("POST", "/v1/stories", json=STORY)
    body = {
        "name": "c",
        "story_id": told["id"],
        "account_ids": [str(house.account_id)],
        "audience": {"everyone": True},
        **fields,
    }
    made: str = (await house.call("POST", "/v1/campaigns", json=body))["id"]
    return made


@pytest.mark.parametrize("step", ["pause", "cancel"])
async def test_within_a_second_of_the_answer_nothing_more_is_sent(
    quick: House, step: str, tell: Callable[[str], None]
) -> None:
    campaign = await drafted(quick)
    await quick.call("POST", f"/v1/campaigns/{campaign}/launch")
    await quick.until(lambda: len(sends(quick)) > 60)
    await quick.call("POST", f"/v1/campaigns/{campaign}/{step}")
    answered = time.monotonic_ns()
    # Longer than what was claimed or in flight could take.
    await asyncio.sleep(2.5)
    arrived = sends(quick)

    late = (max(arrived) - answered) / 1e9
    tell(f"{step}: the last send {1000 * late:.0f} ms after the answer")
    assert late < WITHIN
    assert 60 < len(arrived) < 200
    totals = await quick.totals(campaign)
    assert totals["sent"] == len(arrived)
    if step == "pause":
        await quick.call("POST", f"/v1/campaigns/{campaign}/resume")
        assert (await quick.finished(campaign))["sent"] == 200
        assert len(sends(quick)) == 200
    else:
        assert totals["cancelled"] == 200 - len(arrived)


async def test_variants_and_a_hold_out_reach_phones_as_they_are_counted(house: House) -> None:
    people = await house.people(40)
    stories = [
        await house.call("POST", "/v1/stories", json={**STORY, "frames": [{"text": text}]})
        for text in ("Alba", "Tramonto")
    ]
    variants = [{"name": n, "story_id": s["id"]} for n, s in zip("ab", stories, strict=True)]
    campaign = await drafted(house, story_id=None, variants=variants, hold_out=0.2)
    preflight = await house.call("POST", f"/v1/campaigns/{campaign}/preflight")
    await house.call("POST", f"/v1/campaigns/{campaign}/launch")
    totals = await house.finished(campaign)
    found = await house.call("GET", f"/v1/campaigns/{campaign}")
    page = await house.call("GET", f"/v1/campaigns/{campaign}/messages?limit=100")

    shown = [str(house.shown(address)) for address in people]
    phones = {word: sum(word in each for each in shown) for word in ("Alba", "Tramonto")}
    sent = {name: each["sent"] for name, each in found["variant_totals"].items()}
    assert sent == preflight["variants"] == {"a": phones["Alba"], "b": phones["Tramonto"]}
    assert totals["withheld"] == preflight["withheld"] == {"hold_out": shown.count("[]")}
    assert min(*phones.values(), shown.count("[]")) > 0
    by_person = {each["address"]: each["variant"] for each in page["items"]}
    for address, text in zip(people, shown, strict=True):
        word = {"a": "Alba", "b": "Tramonto", None: "[]"}[by_person[address]]
        assert word in text


async def test_a_story_is_tried_out_once_for_each_key_and_counted_nowhere(house: House) -> None:
    (tester, *_) = await house.people(3)
    (stranger,) = await house.people(1, granted=False)
    campaign = await drafted(house)
    path, body = f"/v1/campaigns/{campaign}/test", {"addresses": [tester, stranger]}
    key = {"idempotency-key": "try-1"}

    first = await house.call("POST", path, json=body, headers=key, expect=201)
    again = await house.call("POST", path, json=body, headers=key, expect=201)
    await house.until(lambda: house.shown(tester))
    found = await house.call("GET", f"/v1/messages/{first['items'][0]['id']}")
    totals = await house.totals(campaign)

    assert first == again
    assert [each["status"] for each in first["items"]] == ["queued", "withheld"]
    assert (found["test_of"], found["campaign_id"]) == (campaign, None)
    assert totals["accepted"] == 0
    assert (len(house.shown(tester)), house.shown(stranger)) == (1, [])


async def test_a_single_message_says_whose_it_is(house: House) -> None:
    (ada,) = await house.people(1)
    person = (await house.call("GET", f"/v1/people?channel=telegram&address={ada}"))["items"][0]
    (stranger,) = house.telegram.make_people(BOT, count=1)

    made = {}
    for address in (ada, stranger):
        body = {
            "account_id": str(house.account_id),
            "address": address,
            "purpose": "service",
            "content": {"text": "Ordine 7"},
        }
        message = await house.call("POST", "/v1/messages", json=body)
        made[address] = await house.call("GET", f"/v1/messages/{message['id']}")

    assert made[ada]["person_id"] == person["id"]
    assert made[stranger]["person_id"] is None


async def test_a_list_of_campaigns_leaves_the_addresses_out(house: House) -> None:
    named = await drafted(house, audience={"addresses": [str(n) for n in range(1, 5_001)]})
    tagged = await drafted(
        house, audience={"tags": ["vip"], "attributes": {"name": "city", "is": "Torino"}}
    )

    page = await house.call("GET", "/v1/campaigns")
    whole = await house.call("GET", f"/v1/campaigns/{named}")

    by_id = {each["id"]: each for each in page["items"]}
    assert (by_id[named]["audience"], by_id[named]["named"]) == (None, 5_000)
    assert by_id[tagged]["named"] is None
    assert by_id[tagged]["audience"]["tags"] == ["vip"]
    assert by_id[tagged]["audience"]["attributes"]["is"] == "Torino"
    assert len(whole["audience"]["addresses"]) == 5_000
