"""The simulated Telegram tells bots what happened: in order, again and again, and not for ever."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channels.base.simulator import Listener, serving
from channels.telegram.simulator import OWN_BOT, OWN_TOKEN, Platform

ACCOUNT = str(OWN_BOT)


class Receiver:
    """A bot's own server: notes what comes, answers as told."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.headers: list[dict[str, str]] = []
        self.answer: Callable[[dict[str, Any]], Response] = lambda update: Response()
        self.app = Starlette(routes=[Route("/in", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        update = orjson.loads(await request.body())
        self.headers.append(dict(request.headers))
        self.came.put_nowait(update)
        return self.answer(update)

    async def texts(self, count: int) -> list[str]:
        async with asyncio.timeout(5):
            return [(await self.came.get())["message"]["text"] for _ in range(count)]


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    platform = Platform()
    yield platform
    await platform.close()


@pytest.fixture
async def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def receiving(receiver: Receiver) -> AsyncIterator[Listener]:
    async with serving(receiver.app) as listener:
        yield listener


Method = Callable[..., Any]


@pytest.fixture
async def method(platform: Platform) -> AsyncIterator[Method]:
    async with (
        serving(platform.app()) as listener,
        httpx.AsyncClient(trust_env=False) as http,
    ):

        async def call(name: str, **params: Any) -> Any:
            url = f"{listener.base_url}/telegram/bot{OWN_TOKEN}/{name}"
            return (await http.post(url, json=params)).json()["result"]

        yield call


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_one_update_a_request_with_the_secret(
    platform: Platform, receiver: Receiver, receiving: Listener, method: Method
) -> None:
    await method("setWebhook", url=f"{receiving.base_url}/in", secret_token="s_1")

    platform.say(ACCOUNT, "11", "uno")
    platform.say(ACCOUNT, "11", "due")

    assert await receiver.texts(2) == ["uno", "due"]
    assert {h["x-telegram-bot-api-secret-token"] for h in receiver.headers} == {"s_1"}
    assert {h["content-type"] for h in receiver.headers} == {"application/json"}
    await until(lambda: not platform.bot(OWN_BOT).updates)
    info = await method("getWebhookInfo")
    assert info["pending_update_count"] == 0
    assert "last_error_message" not in info


async def test_a_failing_update_holds_up_its_own_queue_only(
    platform: Platform, receiver: Receiver, receiving: Listener, method: Method
) -> None:
    broken = True

    def answer(update: dict[str, Any]) -> Response:
        fails = broken and update["message"]["chat"]["id"] == 11
        return Response(status_code=500 if fails else 204)

    receiver.answer = answer
    await method("setWebhook", url=f"{receiving.base_url}/in")
    platform.say(ACCOUNT, "11", "first")
    platform.say(ACCOUNT, "11", "second")
    # The first retry follows at once; the next waits two seconds by the platform's clock.
    assert await receiver.texts(2) == ["first", "first"]
    platform.say(ACCOUNT, "22", "other")

    assert await receiver.texts(1) == ["other"]
    info = await method("getWebhookInfo")
    assert info["pending_update_count"] == 2
    assert (
        info["last_error_message"] == "Wrong response from the webhook: 500 Internal Server Error"
    )
    broken = False
    platform.clock.advance(2)
    assert await receiver.texts(2) == ["first", "second"]


async def test_retry_after_is_obeyed(
    platform: Platform, receiver: Receiver, receiving: Listener, method: Method
) -> None:
    receiver.answer = lambda update: Response(status_code=503, headers={"retry-after": "600"})
    await method("setWebhook", url=f"{receiving.base_url}/in")
    platform.say(ACCOUNT, "11", "hi")
    await receiver.texts(1)
    await until(lambda: platform.webhooks.troubles(platform.bot(OWN_BOT)) != {})

    platform.clock.advance(300)
    await asyncio.sleep(0.05)
    assert receiver.came.empty()
    receiver.answer = lambda update: Response()
    platform.clock.advance(301)

    assert await receiver.texts(1) == ["hi"]


async def test_what_is_too_old_is_dropped(
    platform: Platform, receiver: Receiver, receiving: Listener, method: Method
) -> None:
    receiver.answer = lambda update: Response(status_code=500)
    await method("setWebhook", url=f"{receiving.base_url}/in")
    platform.say(ACCOUNT, "11", "old")
    await receiver.texts(2)
    receiver.answer = lambda update: Response()

    platform.clock.advance(24 * 3600 + 1)

    await until(lambda: not platform.bot(OWN_BOT).updates)
    platform.say(ACCOUNT, "11", "new")
    assert await receiver.texts(1) == ["new"]


async def test_gone_for_a_day_removes_the_webhook(
    platform: Platform, receiver: Receiver, receiving: Listener, method: Method
) -> None:
    receiver.answer = lambda update: Response(status_code=410)
    await method("setWebhook", url=f"{receiving.base_url}/in")
    platform.say(ACCOUNT, "11", "hi")
    await receiver.texts(2)

    platform.clock.advance(23 * 3600 + 1)

    await until(lambda: platform.bot(OWN_BOT).webhook is None)
    assert (await method("getWebhookInfo"))["url"] == ""


async def test_a_port_that_refuses_is_told(platform: Platform, method: Method) -> None:
    await method("setWebhook", url="http://127.0.0.1:9/in")

    platform.say(ACCOUNT, "11", "hi")

    await until(lambda: platform.webhooks.troubles(platform.bot(OWN_BOT)) != {})
    info = await method("getWebhookInfo")
    assert info["last_error_message"] == "Connection refused"
    assert info["pending_update_count"] == 1


async def test_what_waited_comes_when_a_webhook_is_set(
    platform: Platform, receiver: Receiver, receiving: Listener, method: Method
) -> None:
    platform.say(ACCOUNT, "11", "waited")

    await method("setWebhook", url=f"{receiving.base_url}/in")

    assert await receiver.texts(1) == ["waited"]


async def test_what_waited_can_be_dropped(
    platform: Platform, receiver: Receiver, receiving: Listener, method: Method
) -> None:
    platform.say(ACCOUNT, "11", "waited")

    await method("setWebhook", url=f"{receiving.base_url}/in", drop_pending_updates=True)
    platform.say(ACCOUNT, "11", "fresh")

    assert await receiver.texts(1) == ["fresh"]


async def test_only_the_kinds_asked_for(platform: Platform, method: Method) -> None:
    await method("getUpdates", allowed_updates=["message"])
    platform.say(ACCOUNT, "11", "hi")
    platform.block(ACCOUNT, "11", blocked=True)

    # Without the list the former one stays.
    updates = await method("getUpdates")

    assert [set(update) - {"update_id"} for update in updates] == [{"message"}]


async def test_no_more_in_flight_than_asked_for(
    platform: Platform, receiver: Receiver, receiving: Listener, method: Method
) -> None:
    flying, most = 0, 0
    free = asyncio.Event()

    async def slow(request: Request) -> Response:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await free.wait()
        flying -= 1
        return Response()

    receiver.app.routes.append(Route("/slow", slow, methods=["POST"]))
    await method("setWebhook", url=f"{receiving.base_url}/slow", max_connections=3)
    for number in range(8):
        platform.say(ACCOUNT, str(100 + number), "hi")
    await until(lambda: flying == 3)
    free.set()

    await until(lambda: not platform.bot(OWN_BOT).updates)
    assert most == 3


def same_shape(ours: Any, theirs: Any) -> bool:
    """Whether every field of a recorded update is one of ours, with the same type."""
    if isinstance(theirs, dict):
        return all(key in ours and same_shape(ours[key], value) for key, value in theirs.items())
    if isinstance(theirs, list):
        return bool(ours) and all(same_shape(ours[0], value) for value in theirs)
    return type(ours) is type(theirs)


@pytest.mark.parametrize(
    ("fixture", "does"),
    [
        ("captured__my_chat_member_blocked.json", lambda p: p.block(ACCOUNT, "11", blocked=True)),
        ("tests__start_deep_link_real_shape.json", lambda p: p.say(ACCOUNT, "11", "/start abc")),
    ],
)
async def test_updates_have_the_shape_of_recorded_ones(
    platform: Platform, fixtures: Any, fixture: str, does: Callable[[Platform], Any]
) -> None:
    recorded = orjson.loads((fixtures / "telegram" / fixture).read_bytes())
    platform.make_people(ACCOUNT, address="11", language="en")
    platform.people[11].username = "user_example"
    bot = platform.bot(OWN_BOT)

    does(platform)

    (update,) = (orjson.loads(waiting.body) for waiting in bot.updates.values())
    assert same_shape(update, recorded), (update, recorded)
