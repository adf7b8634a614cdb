"""Where a platform wants it, whoever leaves is forgotten: revoked first, and carried to the end."""

from itertools import count

import orjson
import pytest

from channels.registry import CHANNELS
from shared import clock
from shared.security import standard_webhooks
from tests.gateway.gateways import until
from tests.leaver import LEAVER

CREDENTIALS = {"url": "https://chat.example.com/permesso"}
DESK = {"source": "support_desk", "text": "One and the same card."}


class Leavers:
    """A brand's account on a channel whose leaving erases, and the platform behind it."""

    def __init__(self, gateway, client, account_id, secret):
        self.gateway, self.client, self.account_id = gateway, client, account_id
        self._key = [secret.encode()]
        self._numbers = count()

    async def tells(self, *, number=None, **event):
        body = orjson.dumps({"address": "ada-42", "at": clock.now().isoformat(), **event})
        number = number or f"w{next(self._numbers)}"
        headers = standard_webhooks.sign(self._key, message_id=number, at=clock.now(), body=body)
        path = f"/webhooks/{LEAVER.name}/{self.account_id}"
        assert (await self.gateway.http.post(path, content=body, headers=headers)).is_success

    async def leaves(self, **event):
        await self.tells(type="left", signal="unsubscribe", **event)

    async def person(self, channel=LEAVER.name):
        params = {"channel": channel, "address": "ada-42"}
        found = (await self.client.get("/v1/people", params=params)).json()["items"]
        return found[0] if found else None

    async def consents(self, channel=LEAVER.name, **more):
        evidence = {"source": "web_form", "wording": "Sì", **more}
        body = {"channel": channel, "address": "ada-42", "action": "grant", "evidence": evidence}
        return (await self.client.post("/v1/consents", json=body)).json()["state"]

    async def finds(self, person):
        return (await self.client.get(f"/v1/people/{person['id']}")).status_code == 200


async def opened(gateway, client, channel):
    body = {"channel": channel, "name": "own", "credentials": CREDENTIALS}
    account_id = (await client.post("/v1/accounts", json=body)).json()["id"]
    await client.post(f"/v1/accounts/{account_id}/connect")
    return account_id, gateway.desk.connected.popitem()[1].secret


@pytest.fixture(autouse=True)
def joined(monkeypatch):
    """The channel is spoken here, from before the gateway begins."""
    monkeypatch.setitem(CHANNELS, LEAVER.name, LEAVER)


@pytest.fixture
async def ada(gateway, aurora):
    """An account, and one person on it who has said yes."""
    _, client = aurora
    made = Leavers(gateway, client, *await opened(gateway, client, LEAVER.name))
    assert await made.consents() == "granted"
    return made


async def test_who_leaves_is_revoked_and_then_forgotten_and_stays_refused(gateway, aurora, ada):
    brand_id, _ = aurora
    person = await ada.person()
    await ada.tells(type="wrote", text="canary words", id="m-1")
    await gateway.settle()
    before = clock.now()
    await ada.leaves()
    await gateway.settle()
    news = (await gateway.house.consent.feed(after=0, limit=1_000)).items
    rows = [row for row in await gateway.rows(brand_id) if row["channel"] == LEAVER.name]

    assert [each.type for each in news if each.data.get("person_id") == person["id"]][-3:] == [
        "consent.revoked",
        "consent.revoked",
        "person.erased",
    ]
    assert not await ada.finds(person)
    assert [place.address for order in gateway.desk.forgotten for place in order.places] == [
        "ada-42"
    ]
    assert gateway.desk.order.index("halt") < gateway.desk.order.index("forget")
    assert [(bytes(row["body"]), row["state"]) for row in rows] == [(b"", "done")] * 2
    assert "ada-42" not in str([dict(row) for row in rows])
    assert await ada.consents(at=before.isoformat()) == "unchanged"


async def test_a_dispatcher_that_is_away_delays_it_and_loses_nothing(gateway, ada):
    person = await ada.person()
    gateway.desk.unsettled_forgets = 2
    await ada.leaves()
    await gateway.settle()

    assert len(gateway.desk.forgotten) == 3
    assert not await ada.finds(person)


async def test_told_twice_it_brings_nobody_back(gateway, ada):
    person = await ada.person()
    await ada.leaves(number="same")
    await gateway.settle()
    await ada.leaves(number="same")
    await ada.leaves(number="another")
    await gateway.settle()

    assert not await ada.finds(person)
    assert await ada.person() is None


async def test_erased_meanwhile_by_the_brand_it_is_one_erasure(gateway, ada):
    person = await ada.person()
    gateway.desk.unsettled_forgets = 3
    await ada.leaves()
    answer = await ada.client.delete(f"/v1/people/{person['id']}")
    await gateway.settle()
    news = (await gateway.house.consent.feed(after=0, limit=1_000)).items

    assert answer.status_code == 200
    assert [each.type for each in news].count("person.erased") == 1


async def test_their_other_channels_are_other_people_whom_it_does_not_touch(gateway, ada):
    await opened(gateway, ada.client, "webhook")
    await ada.consents("webhook")
    here, there = await ada.person(), await ada.person("webhook")
    bodies = [{"person_id": each["id"], "evidence": DESK} for each in (there, here)]
    refused = [
        await ada.client.post(f"/v1/people/{each['id']}/merge", json=body)
        for each, body in zip((here, there), bodies, strict=True)
    ]
    await ada.leaves()
    await gateway.settle()

    assert [(each.status_code, each.json()["code"]) for each in refused] == [
        (409, "leaving_erases")
    ] * 2
    assert not await ada.finds(here)
    assert await ada.finds(there)


async def test_a_channel_that_does_not_declare_it_only_revokes(gateway, aurora):
    _, client = aurora
    leavers = Leavers(gateway, client, *await opened(gateway, client, "webhook"))
    assert await leavers.consents("webhook") == "granted"
    person = await leavers.person("webhook")
    path = f"/webhooks/webhook/{leavers.account_id}"
    body = orjson.dumps(
        {
            "address": "ada-42",
            "at": clock.now().isoformat(),
            "type": "left",
            "signal": "gone",
        }
    )
    headers = standard_webhooks.sign(leavers._key, message_id="l", at=clock.now(), body=body)
    assert (await gateway.http.post(path, content=body, headers=headers)).is_success
    await gateway.settle()

    async def halted():
        return bool(gateway.desk.halts)

    await until(halted)
    assert await leavers.finds(person)
    assert gateway.desk.forgotten == []
