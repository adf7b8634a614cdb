"""POST /v1/consents: a yes is recorded; a no is answered when it is in force, and not before."""

import asyncio
from datetime import timedelta

import pytest

from services.gateway import orders, revocations
from shared import clock
from tests.gateway.gateways import message, until

GRANT = {
    "channel": "telegram",
    "address": "42",
    "purpose": "marketing",
    "action": "grant",
    "evidence": {"source": "web_form", "wording": "Sì", "wording_version": "1", "language": "it"},
}
REVOKE = {"channel": "telegram", "address": "42", "purpose": "marketing", "action": "revoke"}


@pytest.fixture
async def client(gateway, aurora):
    await gateway.telegram(aurora[1])
    return aurora[1]


async def allowed(client, **changes):
    body = {"channel": "telegram", "purpose": "marketing", "addresses": ["42"], **changes}
    answer = await client.post("/v1/consents/check", json=body)
    return [(r["allowed"], r["reason"]) for r in answer.json()["results"]]


async def test_a_grant_is_recorded_with_a_receipt(client):
    answer = await client.post("/v1/consents", json=GRANT)
    made = answer.json()

    assert answer.status_code == 201
    assert made["state"] == "granted"
    assert made["receipt"]["consent_event_id"] == made["id"]
    assert made["receipt"]["seq"] > 0
    assert await allowed(client) == [(True, "granted")]


async def test_a_revocation_is_answered_when_the_halt_was(gateway, client):
    await client.post("/v1/consents", json=GRANT)
    gateway.desk.answering.clear()

    async with asyncio.TaskGroup() as group:
        revoking = group.create_task(client.post("/v1/consents", json=REVOKE))
        await gateway.desk.halted.wait()
        await asyncio.sleep(0.2)
        answered_early = revoking.done()
        gateway.desk.answering.set()

    answer = revoking.result()
    assert not answered_early
    assert (answer.status_code, answer.json()["state"]) == (201, "revoked")
    assert answer.json()["effective_at"]
    assert await allowed(client) == [(False, "revoked")]
    (order,) = gateway.desk.halts
    assert order.seq == answer.json()["receipt"]["seq"]


@pytest.mark.parametrize("fault", ["frozen", "down", "unsettled"])
async def test_a_dead_dispatcher_delays_the_answer_and_no_longer(
    gateway, client, monkeypatch, fault
):
    monkeypatch.setattr(revocations, "IN_FORCE_AFTER", 0.7)
    monkeypatch.setattr(revocations, "_ONCE_MORE_WITHIN", 0.1)
    await client.post("/v1/consents", json=GRANT)
    if fault == "frozen":
        gateway.desk.answering.clear()
    gateway.desk.down = fault == "down"
    gateway.desk.settled = fault != "unsettled"

    begun_at = clock.ticks()
    answer = await client.post("/v1/consents", json=REVOKE)
    took = clock.ticks() - begun_at
    gateway.desk.answering.set()

    assert answer.status_code == 201
    assert 0.7 <= took < 2.5
    assert await allowed(client) == [(False, "revoked")]


async def test_the_time_that_has_to_pass_is_the_protocols():
    assert revocations.IN_FORCE_AFTER == 6.0
    assert orders.IN_FORCE_WITHIN == 15.0


async def test_a_caller_who_goes_away_does_not_stop_it(gateway, client):
    await client.post("/v1/consents", json=GRANT)
    gateway.desk.answering.clear()

    revoking = asyncio.ensure_future(client.post("/v1/consents", json=REVOKE))
    await gateway.desk.halted.wait()
    revoking.cancel()
    await asyncio.wait([revoking])
    gateway.desk.answering.set()
    await gateway.settle()

    assert revoking.cancelled()
    assert await allowed(client) == [(False, "revoked")]
    assert len(gateway.desk.halts) == 1


async def test_who_does_not_want_to_wait_is_answered_when_it_is_stored(gateway, client):
    await client.post("/v1/consents", json=GRANT)
    gateway.desk.answering.clear()

    answer = await client.post("/v1/consents", json=REVOKE, headers={"prefer": "respond-async"})
    gateway.desk.answering.set()
    await gateway.settle()

    assert (answer.status_code, answer.json()["state"]) == (202, "accepted")
    assert answer.headers["preference-applied"] == "respond-async"
    assert answer.json()["receipt"] is None
    assert await allowed(client) == [(False, "revoked")]


async def test_made_twice_it_is_one_revocation(gateway, client):
    headers = {"idempotency-key": "stop-42"}
    first = await client.post("/v1/consents", json=REVOKE, headers=headers)
    again = await client.post("/v1/consents", json=REVOKE, headers=headers)

    assert first.content == again.content
    assert len(gateway.desk.halts) == 1


async def test_without_consent_it_is_503_and_carried_out_later(gateway, client, monkeypatch):
    monkeypatch.setattr(orders, "IN_FORCE_WITHIN", 1.0)
    await client.post("/v1/consents", json=GRANT)
    gateway.consent_down.set()
    headers = {"idempotency-key": "stop-42"}

    answer = await client.post("/v1/consents", json=REVOKE, headers=headers)
    gateway.consent_down.clear()
    await gateway.settle()
    again = await client.post("/v1/consents", json=REVOKE, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (503, "revocation_pending")
    assert again.status_code == 201
    assert await allowed(client) == [(False, "revoked")]
    assert len(gateway.desk.halts) == 1


async def test_a_revocation_that_another_process_carries_out_is_noticed(
    gateway, client, monkeypatch
):
    """The future of this process never comes: the row tells."""
    await client.post("/v1/consents", json=GRANT)
    inbox = gateway.house.inbox
    finish = type(inbox)._finish

    async def silent(self, work, letter, *rest):
        self._waiting.pop(work.inbox_id, None)
        await finish(self, work, letter, *rest)

    monkeypatch.setattr(type(inbox), "_finish", silent)

    answer = await client.post("/v1/consents", json=REVOKE)

    assert (answer.status_code, answer.json()["state"]) == (201, "revoked")


async def test_a_revocation_does_not_wait_behind_what_the_person_wrote(
    gateway, aurora, monkeypatch
):
    monkeypatch.setattr(revocations, "IN_FORCE_AFTER", 0.3)
    monkeypatch.setattr(revocations, "_ONCE_MORE_WITHIN", 0.1)
    monkeypatch.setattr(orders, "IN_FORCE_WITHIN", 5.0)
    _, client = aurora
    account = await gateway.telegram(client)
    gateway.desk.down = True
    await gateway.hears(account, message(1, "ciao"))

    async def hampered():
        return gateway.house.inbox._handler.hampered

    await until(hampered)
    answer = await client.post("/v1/consents", json=REVOKE)
    gateway.desk.down = False

    assert answer.status_code == 201


async def test_scopes_reach_as_far_as_they_say(gateway, client):
    body = {**REVOKE, "scope": "brand"}
    answer = await client.post("/v1/consents", json=body)

    assert answer.status_code == 201
    assert await allowed(client) == [(False, "revoked")]


async def test_what_is_wrong_is_said_by_field(gateway, client):
    wrong = [
        ({**GRANT, "evidence": None}, "/evidence"),
        ({**GRANT, "scope": "brand"}, "/scope"),
        ({**REVOKE, "expires_at": "2030-01-01T00:00:00Z"}, "/expires_at"),
        ({**GRANT, "address": "@ada"}, "/address"),
        ({**GRANT, "channel": "pigeon"}, "/channel"),
        ({**GRANT, "channel": "webhook"}, "/channel"),
        ({**GRANT, "channel": None}, "/account_id"),
        ({**GRANT, "purpose": "spam"}, "/purpose"),
        ({**GRANT, "purpose": "reply"}, "/purpose"),
        ({**GRANT, "action": "seen"}, "/action"),
        ({**GRANT, "evidence": {**GRANT["evidence"], "source": "a\0b"}}, "/evidence/source"),
        ({**GRANT, "address": "4\x002"}, "/address"),
        ({**GRANT, "more": 1}, "/more"),
    ]
    for body, pointer in wrong:
        answer = await client.post("/v1/consents", json=body)
        assert answer.status_code == 422, body
        assert [e["pointer"] for e in answer.json()["errors"]] == [pointer], body


async def test_two_accounts_of_a_channel_have_to_be_told_apart(gateway, client):
    other = await gateway.telegram(client, token="99999:AbCdEfGhIjKlMnOpQrStUvWxYz012345678")

    unclear = await client.post("/v1/consents", json=GRANT)
    named = await client.post("/v1/consents", json={**GRANT, "account_id": str(other.id)})

    assert (unclear.status_code, unclear.json()["code"]) == (422, "account_ambiguous")
    assert named.status_code == 201


async def test_an_expiry_is_kept(gateway, client):
    expires_at = (clock.now() + timedelta(hours=1)).isoformat()
    answer = await client.post("/v1/consents", json={**GRANT, "expires_at": expires_at})

    assert answer.status_code == 201
    assert await allowed(client) == [(True, "granted")]


async def test_many_at_once_are_all_in_force(gateway, client):
    bodies = [{**REVOKE, "address": str(number)} for number in range(1, 101)]

    answers = await asyncio.gather(*(client.post("/v1/consents", json=b) for b in bodies))

    assert {answer.status_code for answer in answers} == {201}
    addresses = [body["address"] for body in bodies]
    assert set(await allowed(client, addresses=addresses)) == {(False, "revoked")}
