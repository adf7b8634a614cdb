"""A pause is carried like a revocation, and what was in doubt is decided once."""

import asyncio
from datetime import timedelta

import pytest

from shared import clock
from tests.gateway.gateways import message
from tests.gateway.test_orders import GRANT, allowed

PAUSE = {"channel": "telegram", "address": "42", "purpose": "marketing", "action": "pause"}
DOUBTFUL = "maybe I should unsubscribe"


@pytest.fixture
async def account(gateway, aurora):
    return await gateway.telegram(aurora[1])


@pytest.fixture
async def client(account, aurora):
    return aurora[1]


def in_days(days):
    return (clock.now() + timedelta(days=days)).isoformat()


async def doubt(gateway, account, client):
    """Let a person say what may be a no; return the review of it."""
    await client.post("/v1/consents", json=GRANT)
    await gateway.hears(account, message(1, DOUBTFUL))
    await gateway.settle()
    (review,) = (await client.get("/v1/reviews", params={"status": "open"})).json()["items"]
    return review


async def test_a_pause_is_answered_when_the_halt_was(gateway, client):
    await client.post("/v1/consents", json=GRANT)
    gateway.desk.answering.clear()

    async with asyncio.TaskGroup() as group:
        pausing = group.create_task(client.post("/v1/consents", json=PAUSE))
        await gateway.desk.halted.wait()
        answered_early = pausing.done()
        gateway.desk.answering.set()

    made = pausing.result().json()
    assert not answered_early
    assert (pausing.result().status_code, made["state"]) == (201, "paused")
    assert made["paused_until"][:10] == in_days(30)[:10]
    assert await allowed(client) == [(False, "paused")]
    (order,) = gateway.desk.halts
    assert order.seq == made["receipt"]["seq"]
    assert set(order.targets[0].purposes) == {"marketing", "measuring"}


async def test_words_that_ask_for_a_pause_halt_before_they_are_answered(gateway, account, client):
    await client.post("/v1/consents", json=GRANT)
    gateway.desk.answering.clear()
    await gateway.hears(account, message(1, "non scrivetemi per due settimane"))
    await gateway.desk.halted.wait()
    before_the_halt = list(gateway.desk.messages)
    gateway.desk.answering.set()
    await gateway.settle()

    assert before_the_halt == []
    (reply,) = gateway.desk.messages.values()
    assert str(clock.now().year) in reply.content.text
    assert "START" in reply.content.text


async def test_who_does_not_want_to_wait_for_a_pause_is_answered_when_it_is_stored(gateway, client):
    await client.post("/v1/consents", json=GRANT)
    answer = await client.post("/v1/consents", json=PAUSE, headers={"prefer": "respond-async"})
    await gateway.settle()

    assert (answer.status_code, answer.json()["state"]) == (202, "accepted")
    assert await allowed(client) == [(False, "paused")]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"until": "2020-01-01T00:00:00Z"}, "/until"),
        ({"until": "9999-12-31T00:00:00Z"}, "/until"),
        ({"purpose": "marketing.news"}, "/purpose"),
        ({"purpose": "service"}, "/purpose"),
        ({"expires_at": "2030-01-01T00:00:00Z"}, "/expires_at"),
        ({"action": "revoke", "until": "2030-01-01T00:00:00Z"}, "/until"),
        ({"action": "resume"}, "/action"),
    ],
)
async def test_what_is_no_pause_is_refused_and_says_why(client, changes, pointer):
    answer = await client.post("/v1/consents", json={**PAUSE, **changes})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_doubtful_words_halt_and_are_asked_about(gateway, account, client):
    review = await doubt(gateway, account, client)

    assert (review["status"], review["evidence"]["text"]) == ("open", DOUBTFUL)
    assert await allowed(client) == [(False, "paused")]
    assert len(gateway.desk.halts) == 1
    (reply,) = gateway.desk.messages.values()
    assert "STOP" in reply.content.text


@pytest.mark.parametrize(
    ("decision", "answer"), [("revoke", (False, "revoked")), ("resume", (True, "granted"))]
)
async def test_a_decision_holds_when_it_is_answered(gateway, account, client, decision, answer):
    review = await doubt(gateway, account, client)
    body = {"decision": decision, "note": "We called her."}
    decided = await client.post(f"/v1/reviews/{review['id']}", json=body)
    again = await client.post(f"/v1/reviews/{review['id']}", json=body)
    path = f"/v1/people/{review['person_id']}/history"
    last = (await client.get(path)).json()["items"][-1]

    assert decided.status_code == 200
    assert (decided.json()["status"], decided.json()["decision"]) == ("decided", decision)
    assert decided.json()["decided_by"].startswith("key:")
    assert await allowed(client) == [answer]
    assert (again.status_code, again.json()["code"]) == (409, "decided_before")
    assert (last["action"], last["evidence"]["note"]) == (decision, "We called her.")
    assert len(gateway.desk.halts) == (2 if decision == "revoke" else 1)


async def test_a_decision_with_the_same_key_is_answered_alike(gateway, account, client):
    review = await doubt(gateway, account, client)
    headers = {"idempotency-key": "she-meant-something-else"}
    answers = [
        await client.post(
            f"/v1/reviews/{review['id']}", json={"decision": "resume"}, headers=headers
        )
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


async def test_who_said_start_meanwhile_is_not_revoked_by_a_late_decision(gateway, account, client):
    review = await doubt(gateway, account, client)
    await gateway.hears(account, message(2, "START", at=clock.now() + timedelta(seconds=2)))
    await gateway.settle()
    late = await client.post(f"/v1/reviews/{review['id']}", json={"decision": "revoke"})

    assert (late.status_code, late.json()["code"]) == (409, "decided_before")
    assert await allowed(client) == [(True, "granted")]


async def test_another_brand_finds_no_review(gateway, account, client):
    review = await doubt(gateway, account, client)
    _, other = await gateway.brand(name="Other")
    listed = await other.get("/v1/reviews")
    decided = await other.post(f"/v1/reviews/{review['id']}", json={"decision": "resume"})

    assert listed.json() == {"items": [], "next": None}
    assert (decided.status_code, decided.json()["code"]) == (404, "unknown_review")


@pytest.mark.parametrize("query", [{"cursor": "x"}, {"status": "lost"}, {"cursor": str(2**63)}])
async def test_a_wrong_question_is_told_so(client, query):
    assert (await client.get("/v1/reviews", params=query)).status_code == 422
