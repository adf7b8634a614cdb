"""Two persons who are one: the call is answered when a no of either is in force for both."""

import asyncio
from uuid import uuid4

import orjson
import pytest

from services.gateway import revocations
from shared import clock

DESK = {"source": "support_desk", "text": "One and the same card."}


@pytest.fixture
async def account(gateway, aurora):
    return await gateway.telegram(aurora[1])


@pytest.fixture
async def client(account, aurora):
    return aurora[1]


async def said(client, action, address):
    body = {"channel": "telegram", "address": address, "action": action, "scope": "purpose"}
    if action == "grant":
        body["evidence"] = {"source": "web_form", "wording": "Sì"}
    else:
        body["scope"] = "channel"
    answer = await client.post("/v1/consents", json=body)
    return answer.json()["receipt"]["person_id"]


async def merge(client, kept, gone, **headers):
    body = {"person_id": gone, "evidence": DESK}
    return await client.post(f"/v1/people/{kept}/merge", json=body, headers=headers)


async def reasons(client, *addresses):
    body = {"channel": "telegram", "purpose": "marketing", "addresses": addresses}
    answer = await client.post("/v1/consents/check", json=body)
    return [each["reason"] for each in answer.json()["results"]]


async def test_what_waits_at_the_other_address_is_halted_first(gateway, client):
    kept, gone = await said(client, "grant", "41"), await said(client, "revoke", "42")
    gateway.desk.halts.clear()
    gateway.desk.halted.clear()
    gateway.desk.answering.clear()
    async with asyncio.TaskGroup() as group:
        merging = group.create_task(merge(client, kept, gone))
        await gateway.desk.halted.wait()
        early = merging.done()
        gateway.desk.answering.set()
    answer = merging.result()

    assert not early
    assert (answer.status_code, answer.json()["state"]) == (201, "revoked")
    assert answer.json()["person_id"] == kept
    (halt,) = gateway.desk.halts
    assert halt.seq == answer.json()["receipt"]["seq"]
    assert [(t.address, t.purposes) for t in halt.targets] == [("41", ("marketing", "measuring"))]
    assert await reasons(client, "41", "42") == ["revoked", "revoked"]


async def test_it_is_in_force_though_nobody_can_halt(gateway, client, monkeypatch):
    monkeypatch.setattr(revocations, "IN_FORCE_AFTER", 0.3)
    kept, gone = await said(client, "grant", "41"), await said(client, "revoke", "42")
    gateway.desk.down = True

    answer = await merge(client, kept, gone)
    assert (answer.status_code, answer.json()["state"]) == (201, "revoked")


async def test_a_repeat_is_the_same_merge_and_a_split_takes_it_back(gateway, client):
    kept, gone = await said(client, "grant", "41"), await said(client, "grant", "42")
    first = await merge(client, kept, gone, **{"Idempotency-Key": "one"})
    again = await merge(client, kept, gone, **{"Idempotency-Key": "one"})
    assert first.json() == again.json()
    assert gateway.desk.halts == []
    merged = (await client.get(f"/v1/people/{gone}")).json()
    assert merged["merged_into"] == kept
    body = {"merge_id": first.json()["id"], "evidence": DESK}
    apart = await client.post(f"/v1/people/{kept}/split", json=body)
    assert (apart.status_code, apart.json()["state"]) == (201, "unchanged")
    twice = await client.post(f"/v1/people/{kept}/split", json=body)
    assert (twice.status_code, twice.json()["code"]) == (409, "already_split")
    assert (await client.get(f"/v1/people/{gone}")).json()["merged_into"] is None


async def test_what_cannot_be_merged_is_said(client):
    kept, gone = await said(client, "grant", "41"), await said(client, "grant", "42")

    async def refused(one, other):
        answer = await merge(client, one, other)
        return answer.status_code, answer.json()["code"]

    assert await refused(kept, kept) == (422, "invalid")
    assert await refused(kept, str(uuid4())) == (404, "unknown_person")
    await merge(client, kept, gone)
    assert await refused(kept, gone) == (409, "already_merged")


async def test_a_group_that_became_another_chat_is_known_without_consent(gateway, client, account):
    person = await said(client, "grant", "-42")
    update = {
        "update_id": 7,
        "message": {
            "message_id": 7,
            "date": int(clock.now().timestamp()),
            "chat": {"id": -42, "type": "group", "title": "Aurora"},
            "migrate_to_chat_id": -1001234,
        },
    }
    for _ in range(2):  # platforms repeat themselves
        answer = await gateway.hears(account, orjson.dumps(update))
        assert answer.status_code == 200
        await gateway.settle()
    params = {"channel": "telegram", "address": "-1001234"}
    (found,) = (await client.get("/v1/people", params=params)).json()["items"]
    history = (await client.get(f"/v1/people/{person}/history")).json()["items"]

    assert found["id"] == person
    assert await reasons(client, "-1001234", "-42") == ["no_consent", "blocked"]
    assert [each["action"] for each in history] == ["grant", "seen"]
    assert history[-1]["evidence"]["source"] == "platform.moved"
