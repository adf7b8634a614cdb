"""The sandbox's control side over HTTP, as the acceptance checks use it."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from PIL import Image

from channels.base.simulator import Listener
from sandbox.app import Sandbox

PERSON = {"channel": "telegram", "account": "42", "address": "123"}


@pytest.fixture
async def sandbox() -> AsyncIterator[Listener]:
    async with Sandbox().serving() as listener:
        yield listener


@pytest.fixture
async def http(sandbox: Listener) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=sandbox.base_url, trust_env=False) as http:
        yield http


async def post(http: httpx.AsyncClient, path: str, **body: Any) -> Any:
    response = await http.post(f"/control/{path}", json=body)
    assert response.status_code < 300, response.text
    return response.json()


async def send(http: httpx.AsyncClient, text: str = "hi", **more: Any) -> httpx.Response:
    return await http.post(
        "/telegram/bot42:TEST/sendMessage", json={"chat_id": 123, "text": text, **more}
    )


async def phone(http: httpx.AsyncClient) -> Any:
    return (await http.get("/control/phone", params=PERSON)).json()


async def test_people_can_be_written_to_and_write(http: httpx.AsyncClient) -> None:
    made = await post(http, "people", channel="telegram", account=42, count=3, language="it")
    await post(http, "people", **PERSON, start="promo")
    keyboard = {"inline_keyboard": [[{"text": "Stop", "callback_data": "u:stop"}]]}
    sent = await send(http, reply_markup=keyboard)
    await post(http, "say", **PERSON, text="Ciao")
    tapped = await post(http, "tap", **PERSON, button="Stop")
    await post(http, "block", **PERSON)
    refused = await send(http)
    await post(http, "block", **PERSON, unblock=True)

    assert len({person["address"] for person in made["people"]}) == 3
    assert sent.status_code == 200
    assert tapped["data"] == "u:stop"
    assert refused.status_code == 403
    shown = await phone(http)
    assert [message["text"] for message in shown["messages"]] == ["/start promo", "hi", "Ciao"]
    assert (shown["received"], shown["chats"][0]["blocked"]) == (1, False)
    updates = (await http.get("/telegram/bot42:TEST/getUpdates")).json()["result"]
    kinds = [next(key for key in update if key != "update_id") for update in updates]
    assert kinds == ["message", "message", "callback_query", "my_chat_member", "my_chat_member"]


async def test_a_person_sends_a_picture(http: httpx.AsyncClient) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 60)).save(buffer, "JPEG")
    await post(http, "people", **PERSON)
    photo = base64.b64encode(buffer.getvalue()).decode()

    await post(http, "say", **PERSON, photo=photo, text="look")

    (message,) = (await phone(http))["messages"]
    assert (message["kind"], message["text"], message["by"]) == ("photo", "look", "person")
    file = await http.get(message["media"][0]["url"])
    assert (file.headers["content-type"], file.content) == ("image/jpeg", buffer.getvalue())


async def test_faults_come_and_go(http: httpx.AsyncClient) -> None:
    await post(http, "people", **PERSON)
    await post(http, "faults", channel="telegram", fault="rate_limited", count=1, retry_after=9)
    await post(http, "faults", channel="telegram", fault="blocked", account="42", address="999")
    await post(http, "faults", channel="telegram", fault="down", account="42")

    first, second = await send(http), await send(http)
    active = (await http.get("/control/faults")).json()["items"]
    await http.delete("/control/faults")
    third = await send(http)

    assert (first.status_code, first.headers["retry-after"]) == (429, "9")
    assert second.status_code == 503
    assert [fault["fault"] for fault in active] == ["blocked", "down"]
    assert third.status_code == 200
    log = (await http.get("/control/log")).json()
    assert [entry["outcome"] for entry in log["items"]] == [
        "429 Too Many Requests: retry after 9",
        "503 Service Unavailable",
        "taken",
    ]


async def test_a_rate_hits_a_part_of_the_calls(http: httpx.AsyncClient) -> None:
    await post(http, "people", **PERSON)
    await post(http, "limits", channel="telegram", chat_per_second=0, per_second=0)
    await post(http, "faults", channel="telegram", fault="down", rate=0.5)

    statuses = [(await send(http)).status_code for _ in range(100)]

    assert 30 < statuses.count(503) < 70


async def test_a_lost_answer_was_taken(http: httpx.AsyncClient) -> None:
    await post(http, "people", **PERSON)
    await post(http, "faults", channel="telegram", fault="answer_lost", count=1)

    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        await send(http, "lost")

    assert [message["text"] for message in (await phone(http))["messages"]] == ["lost"]


async def test_a_held_gate_holds_what_was_read(http: httpx.AsyncClient) -> None:
    await post(http, "people", **PERSON)
    await post(http, "gate", channel="telegram", hold=True)
    sending = asyncio.ensure_future(send(http))
    async with asyncio.timeout(5):
        while (await http.get("/control/gate")).json()["items"][0]["held"] == 0:
            continue

    assert (await phone(http))["messages"] == []
    assert (await http.get("/control/log")).json()["items"] == []
    await post(http, "gate", channel="telegram", hold=False)
    assert (await sending).status_code == 200
    assert len((await phone(http))["messages"]) == 1


async def test_a_closed_port_refuses_and_opens_again(http: httpx.AsyncClient) -> None:
    await post(http, "people", **PERSON)
    await post(http, "faults", channel="telegram", fault="closed", seconds=0.5)

    async with asyncio.timeout(5):
        while True:
            try:
                await http.get("/healthz")
            except httpx.ConnectError:
                break
            except httpx.TransportError:
                continue
    async with asyncio.timeout(5):
        while True:
            try:
                healthy = await http.get("/healthz")
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.02)

    assert healthy.status_code == 200
    assert (await send(http)).status_code == 200


async def test_time_can_be_turned(http: httpx.AsyncClient) -> None:
    before = (await http.get("/control/time")).json()
    after = await post(http, "time", advance_seconds=3600)

    assert 3600 <= after["now"] - before["now"] < 3660
    assert after["turned_seconds"] == 3600


async def test_the_log_pages_and_tells_its_lag(http: httpx.AsyncClient) -> None:
    await post(http, "people", **PERSON)
    for _ in range(3):
        await send(http)

    first = (await http.get("/control/log", params={"limit": 2})).json()
    rest = (await http.get("/control/log", params={"since": first["next"]})).json()

    assert [entry["seq"] for entry in first["items"] + rest["items"]] == [1, 2, 3]
    assert (rest["next"], rest["last_seq"], rest["first_seq"]) == (None, 3, 1)
    assert set(first["lag"]) == {"recent_ms", "maximum_ms"}
    assert first["items"][0]["at_ns"] < first["now_ns"]


async def test_state_can_be_forgotten(http: httpx.AsyncClient) -> None:
    await post(http, "people", **PERSON)
    await send(http)
    await post(http, "gate", channel="telegram", hold=True)
    await post(http, "faults", channel="telegram", fault="down")

    assert (await http.delete("/control/state")).status_code == 204
    assert (await http.get("/control/log")).json()["items"] == []
    assert (await http.get("/control/phone", params=PERSON)).status_code == 404
    assert (await send(http)).json()["description"] == "Bad Request: chat not found"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("people", {"channel": "pigeon", "account": "1"}, 404, "unknown_channel"),
        ("people", {"channel": "telegram", "account": "x"}, 422, "bad_account"),
        ("people", {"channel": "telegram"}, 422, "invalid"),
        ("people", {"channel": "telegram", "account": "42", "colour": "red"}, 422, "invalid"),
        ("people", {"channel": "telegram", "account": "42", "address": "x"}, 422, "bad_address"),
        ("say", {**PERSON}, 422, "bad_text"),
        ("tap", {**PERSON, "button": "x"}, 404, "no_such_person"),
        ("faults", {"channel": "telegram", "fault": "x"}, 422, "bad_fault"),
        ("limits", {"channel": "telegram", "x": 1}, 422, "unknown_limit"),
        ("limits", {"channel": "telegram", "burst": True}, 422, "bad_limit"),
        ("time", {"advance_seconds": -1}, 422, "invalid"),
        ("nothing", {}, 404, "not_found"),
    ],
)
async def test_a_wrong_question_gets_a_clear_problem(
    http: httpx.AsyncClient, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    response = await http.post(f"/control/{path}", json=body)

    problem = response.json()
    assert (response.status_code, problem["code"], problem["status"]) == (status, code, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["detail"]


async def test_a_body_that_is_no_json(http: httpx.AsyncClient) -> None:
    response = await http.post("/control/say", content=b"{no")

    assert (response.status_code, response.json()["code"]) == (422, "invalid")


async def test_health(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz")).status_code == 200
    assert (await http.get("/readyz")).status_code == 200
