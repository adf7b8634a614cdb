"""A brand's receiver believes what is signed, takes each message once, and answers as told."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from standardwebhooks import Webhook

from channels.base.simulator import Listener
from sandbox.app import Sandbox

SECRET = "whsec_" + base64.b64encode(b"a secret of at least 24 bytes").decode()


@pytest.fixture
async def sandbox() -> AsyncIterator[Listener]:
    async with Sandbox().serving() as listener:
        yield listener


@pytest.fixture
async def http(sandbox: Listener) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=sandbox.base_url, trust_env=False) as http:
        yield http


def document(**more: Any) -> dict[str, Any]:
    return {"type": "text", "text": "Ciao", "address": "p1", "message_id": "m1", **more}


def signed(body: bytes, message_id: str = "msg_1", secret: str = SECRET) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, now, body.decode()),
    }


async def test_only_what_is_signed_is_believed(http: httpx.AsyncClient) -> None:
    await http.post("/control/hooks/shop", json={"secret": SECRET})
    body = orjson.dumps(document())
    other = "whsec_" + base64.b64encode(b"another secret of 24 bytes!").decode()

    good = await http.post("/hook/shop", content=body, headers=signed(body))
    forged = await http.post("/hook/shop", content=body, headers=signed(body, "msg_2", other))
    bare = await http.post("/hook/shop", content=body)
    changed = await http.post("/hook/shop", content=body + b" ", headers=signed(body, "msg_3"))

    assert [r.status_code for r in (good, forged, bare, changed)] == [200, 401, 401, 401]
    seen = (await http.get("/control/hooks/shop")).json()
    assert [item["verified"] for item in seen["items"]] == [True, False, False, False]
    assert seen["items"][0]["body"]["text"] == "Ciao"


async def test_a_repeat_is_answered_and_not_taken_again(http: httpx.AsyncClient) -> None:
    body = orjson.dumps(document())

    for _ in range(2):
        answer = await http.post("/hook/shop", content=body, headers={"webhook-id": "msg_1"})
        assert answer.status_code == 200

    log = (await http.get("/control/log")).json()["items"]
    assert [entry["outcome"] for entry in log] == ["taken", "repeat"]
    assert {(e["channel"], e["account"], e["address"]) for e in log} == {("webhook", "shop", "p1")}
    phone = (
        await http.get("/control/phone", params={"channel": "webhook", "address": "p1"})
    ).json()
    assert [message["text"] for message in phone["messages"]] == ["Ciao"]


async def test_the_digest_is_of_the_content_alone(http: httpx.AsyncClient) -> None:
    for number, text in enumerate(("same", "same", "other")):
        said = document(address=f"p{number}", message_id=str(number), text=text)
        await http.post("/hook/shop", json=said)

    digests = [entry["digest"] for entry in (await http.get("/control/log")).json()["items"]]
    assert digests[0] == digests[1] != digests[2]


async def test_it_answers_as_told(http: httpx.AsyncClient) -> None:
    await http.post("/control/hooks/shop", json={"answer": 503, "retry_after": 30})

    answer = await http.post("/hook/shop", json=document())

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    seen = (await http.get("/control/hooks/shop")).json()
    assert (seen["received"], seen["items"][0]["answered"]) == (1, 503)


async def test_what_people_say_is_posted_signed(http: httpx.AsyncClient, sandbox: Listener) -> None:
    # The receiver learns where to post from a `connected` document; here, to another receiver.
    await http.post("/control/hooks/ear", json={"secret": SECRET})
    url = f"{sandbox.base_url}/hook/ear"
    told = {"type": "connected", "webhook_url": url, "secret": SECRET}
    await http.post("/hook/shop", json=told)

    said = {"channel": "webhook", "account": "shop", "address": "p1"}
    await http.post("/control/say", json={**said, "text": "STOP"})
    await http.post("/control/block", json=said)

    async with asyncio.timeout(5):
        while len(items := (await http.get("/control/hooks/ear")).json()["items"]) < 2:
            await asyncio.sleep(0.01)
    assert {item["body"]["type"] for item in items} == {"wrote", "blocked"}
    assert all(item["verified"] for item in items)
    refused = await http.post("/hook/shop", json=document())
    assert (refused.status_code, refused.json()) == (403, {"code": "opted_out"})


@pytest.mark.parametrize(
    ("body", "code"),
    [({"secret": "whsec_*"}, "bad_secret"), ({"answer": 100}, "invalid")],
)
async def test_a_wrong_setting(http: httpx.AsyncClient, body: dict[str, Any], code: str) -> None:
    response = await http.post("/control/hooks/shop", json=body)

    assert (response.status_code, response.json()["code"]) == (422, code)
