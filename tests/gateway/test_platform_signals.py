"""What a person told a platform about a brand: each kind follows its own rule."""

from dataclasses import dataclass
from itertools import count

import httpx
import orjson
import pytest

from shared import clock
from shared.security import standard_webhooks

CREDENTIALS = {"url": "https://chat.example.com/permesso"}
PERSON = {"channel": "webhook", "address": "42"}


@dataclass
class Own:
    """A brand's own system as a channel, which tells what its people did."""

    gateway: object
    client: httpx.AsyncClient
    account_id: str
    secret: str
    numbers: count

    async def tells(self, **event):
        body = orjson.dumps({"address": "42", "at": clock.now().isoformat(), **event})
        key = [self.secret.encode()]
        number = f"w{next(self.numbers)}"
        headers = standard_webhooks.sign(key, message_id=number, at=clock.now(), body=body)
        path = f"/webhooks/webhook/{self.account_id}"
        assert (await self.gateway.http.post(path, content=body, headers=headers)).is_success
        await self.gateway.settle()

    async def consents(self, action, **more):
        evidence = {"source": "web_form", "wording": "Sì"}
        body = {**PERSON, "action": action, "evidence": evidence, **more}
        answer = await self.client.post("/v1/consents", json=body)
        assert answer.status_code == 201, answer.text

    async def answer(self, purpose="marketing"):
        body = {"channel": "webhook", "purpose": purpose, "addresses": ["42"]}
        (found,) = (await self.client.post("/v1/consents/check", json=body)).json()["results"]
        return found["reason"]

    async def last(self):
        (person,) = (await self.client.get("/v1/people", params=PERSON)).json()["items"]
        return (await self.client.get(f"/v1/people/{person['id']}/history")).json()["items"][-1]


@pytest.fixture
async def own(gateway, aurora):
    _, client = aurora
    body = {"channel": "webhook", "name": "own", "credentials": CREDENTIALS}
    account_id = (await client.post("/v1/accounts", json=body)).json()["id"]
    await client.post(f"/v1/accounts/{account_id}/connect")
    secret = gateway.desk.connected.popitem()[1].secret
    made = Own(gateway, client, account_id, secret, count())
    await made.consents("grant")
    await made.consents("grant", purpose="service")
    return made


async def test_an_opt_out_ends_marketing_on_the_account_and_is_halted(gateway, own):
    await own.tells(type="opted_out", signal="131050")
    line = await own.last()
    news = (await gateway.house.consent.feed(after=0, limit=1_000)).items

    assert (await own.answer(), await own.answer("service")) == ("revoked", "granted")
    assert (line["action"], line["scope"]) == ("revoke", "account")
    assert (line["evidence"]["source"], line["evidence"]["rule"]) == ("webhook.opt_out", "131050")
    assert [each.data["reason"] for each in news if str(each.event_id) == line["id"]] == [
        "platform_opt_out"
    ]
    (order,) = gateway.desk.halts
    assert set(order.targets[0].purposes) == {"marketing", "measuring"}
    assert gateway.desk.messages == {}


async def test_taking_an_opt_out_back_is_no_new_consent(own):
    await own.tells(type="opted_out", signal="user_preferences.stop")
    await own.tells(type="unblocked")

    assert await own.answer() == "revoked"


async def test_an_opt_in_that_the_platform_documents_is_a_consent(own):
    await own.tells(type="opted_out", signal="user_preferences.stop")
    await own.tells(type="opted_in", signal="user_preferences.signup", wording="Novità di Aurora")
    line = await own.last()

    assert await own.answer() == "granted"
    assert line["evidence"]["source"] == "webhook.opt_in"
    assert line["evidence"]["rule"] == "user_preferences.signup"
    assert line["evidence"]["wording"] == "Novità di Aurora"


async def test_an_opt_in_that_was_delayed_undoes_no_later_opt_out(own):
    await own.tells(type="opted_out", signal="stop")
    await own.tells(type="opted_in", signal="signup", at="2026-01-01T00:00:00Z")

    assert await own.answer() == "revoked"


async def test_who_left_is_written_to_no_more_not_even_for_service(gateway, own):
    await own.tells(type="left", signal="unsubscribe")
    line = await own.last()

    assert (await own.answer(), await own.answer("service")) == ("revoked", "revoked")
    assert (line["evidence"]["source"], line["evidence"]["rule"]) == ("webhook.left", "unsubscribe")
    (order,) = gateway.desk.halts
    assert "service" in order.targets[0].purposes


async def test_a_limit_of_the_platform_is_no_opt_out(gateway, own):
    await own.tells(type="receipt", id="msg_1", status="refused", code="131049")

    assert await own.answer() == "granted"
    (receipt,) = gateway.desk.receipts.values()
    assert receipt.code == "131049"
