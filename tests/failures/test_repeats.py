"""Everything that comes twice or out of order has the effect of coming once, in order."""

import asyncio
import random
import time
from collections import Counter
from itertools import count
from uuid import uuid4

import pytest

from channels.telegram.simulator import OWN_TOKEN
from tests.failures.brand import STORY
from tests.house import BOT, OPERATOR_KEY, a_house

PEOPLE = 12
SAID = ("START", "Avete la miscela d'autunno?", "Grazie!", "STOP")
"""What each of them says, in this order by the platform's clock."""


@pytest.fixture
async def house(urls):
    async with a_house(urls) as opened:
        await opened.open_brand()
        yield opened


def updates_of(person, numbers, *, at):
    """Return what Telegram posts for what a person says, one second after the other."""
    sender = {"id": int(person), "is_bot": False, "first_name": "Ada", "language_code": "it"}
    chat = {"id": int(person), "type": "private", "first_name": "Ada"}
    return [
        {
            "update_id": next(numbers),
            "message": {
                "message_id": 1_000 + second,
                "from": sender,
                "chat": chat,
                "date": at + second,
                "text": text,
            },
        }
        for second, text in enumerate(SAID)
    ]


async def events_of(house, kind):
    found, cursor = [], None
    while True:
        params = {"type": kind, "limit": 100} | ({"cursor": cursor} if cursor else {})
        page = await house.call("GET", "/v1/events", params=params)
        found += page["items"]
        if (cursor := page["next"]) is None:
            return found


async def test_each_webhook_twice_and_in_any_order(house):
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    people = await house.people(PEOPLE, granted=False)
    at, numbers = int(time.time()) - 60, count(1)
    updates = [each for person in people for each in updates_of(person, numbers, at=at)] * 2
    chance.shuffle(updates)
    secret = house.telegram.account(BOT).webhook.secret
    slots = asyncio.Semaphore(8)

    async def post(update):
        async with slots:
            answer = await house.api.post(
                f"/webhooks/telegram/{house.account_id}",
                json=update,
                headers={"x-telegram-bot-api-secret-token": secret},
            )
        assert answer.status_code == 200, answer.text

    await asyncio.gather(*map(post, updates))

    async def all_told():
        return len(await events_of(house, "message.received")) >= PEOPLE * len(SAID)

    await house.until(all_told, within=60)
    # A reply is the last thing that follows from a STOP.
    await house.until(lambda: all(house.shown(person) for person in people), within=30)
    heard = Counter(
        (event["data"]["address"], event["data"]["text"])
        for event in await events_of(house, "message.received")
    )

    assert heard == Counter((person, text) for person in people for text in SAID), seed
    for person in people:
        # STOP was said last, whichever came last.
        assert await house.allowed(person) == "revoked", seed
        replies = [message["text"] for message in house.shown(person)]
        assert len(replies) == len(set(replies)) <= 2, (seed, replies)


async def test_each_call_twice_with_the_same_key(house):
    ada, bob = await house.people(2)
    account = str(house.account_id)
    told = await house.call("POST", "/v1/stories", json=STORY)
    campaign = {
        "name": "Autunno",
        "story_id": told["id"],
        "account_ids": [account],
        "audience": {"addresses": [ada]},
    }
    draft = await house.call("POST", "/v1/campaigns", json=campaign)
    other = {
        "token": OWN_TOKEN.replace(BOT, "7000099"),
        "api_base": f"{house.sandbox_url}/telegram",
    }
    consent = {
        "account_id": account,
        "address": bob,
        "purpose": "marketing",
        "action": "revoke",
        "evidence": {"source": "test", "wording": "No"},
    }
    calls = [
        ("/v1/keys", {"name": "till", "scopes": ["consents:read"]}),
        ("/v1/accounts", {"channel": "telegram", "name": "Second", "credentials": other}),
        ("/v1/stories", STORY),
        ("/v1/campaigns", campaign),
        (f"/v1/campaigns/{draft['id']}/launch", None),
        ("/v1/consents", consent),
        ("/v1/consents", {**consent, "action": "grant"}),
        (
            "/v1/messages",
            {
                "account_id": account,
                "address": bob,
                "purpose": "marketing",
                "content": {"text": "Una volta sola"},
            },
        ),
        ("/v1/callbacks", {"url": "https://aurora.example/hook", "types": ["message.sent"]}),
    ]
    for path, body in calls:
        await twice(house, path, body)
    await house.finished(draft["id"])
    await house.until(lambda: len(house.shown(bob)) == 1)

    assert [message["text"] for message in house.shown(ada)] == ["Ciao"]
    assert [message["text"] for message in house.shown(bob)] == ["Una volta sola"]
    for path, number in (("keys", 2), ("accounts", 2), ("stories", 2), ("callbacks", 1)):
        assert len((await house.call("GET", f"/v1/{path}"))["items"]) == number, path
    house.key = OPERATOR_KEY
    brand = {"name": "B", "country": "IT", "languages": ["it"], "timezone": "Europe/Rome"}
    await twice(house, "/v1/brands", brand)


async def twice(house, path, body):
    """Call twice at once and a third time later; every answer is the one first answer."""
    headers = {"idempotency-key": uuid4().hex, "authorization": f"Bearer {house.key}"}

    def call():
        return house.api.post(path, json=body, headers=headers)

    first, second = await asyncio.gather(call(), call())
    third = await call()

    codes = {first.status_code, second.status_code}
    assert codes <= {third.status_code, 409}, (path, first.text, second.text)
    assert third.is_success, (path, third.text)
    assert third.headers["idempotency-replayed"] == "true"
    for answer in (first, second):
        if answer.is_success:
            assert answer.json() == third.json(), path
    changed = {**(body or {}), "name": "another"}
    reused = await house.api.post(path, json=changed, headers=headers)
    assert reused.status_code == 422, (path, reused.text)
