"""aiogram over our own session: methods on the wire, refusals as exceptions, no secrets."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email import message_from_bytes
from typing import Any

import orjson
import pytest
from aiogram import Bot, exceptions
from aiogram.client.default import DefaultBotProperties
from aiogram.client.telegram import TelegramAPIServer
from aiogram.methods import (
    DeleteMessage,
    EditMessageText,
    GetMe,
    GetWebhookInfo,
    SendMediaGroup,
    SendMessage,
    SendPhoto,
    SetWebhook,
)
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    LinkPreviewOptions,
    User,
    WebhookInfo,
)

from channels.telegram.refusals import DEFAULT_WAIT, UnreadableAnswer
from channels.telegram.session import START_BEFORE, Taken, TelegramSession
from shared import clock
from shared.http import Lost, NotSent, SendingClient, StartedTooLate
from shared.security.addresses import AddressPolicy
from tests.shared.fault_proxy import closed_port, content_length

TOKEN = "42:A-VERY-secret_token"
MESSAGE = {"message_id": 7, "date": 1, "chat": {"id": 1001, "type": "private"}, "text": "hi"}


class BotApi:
    """Answers what it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: object = {"ok": True, "result": MESSAGE}
        self.status = 200
        self.headers = ""
        self.asked: list[tuple[str, bytes, bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(content_length(head))
                self.asked.append((head.split(b" ")[1].decode(), head, body))
                raw = self.answer if isinstance(self.answer, bytes) else orjson.dumps(self.answer)
                told = (
                    f"HTTP/1.1 {self.status} X\r\n{self.headers}Content-Length: {len(raw)}\r\n\r\n"
                )
                writer.write(told.encode() + raw)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    @property
    def last_json(self) -> dict[str, Any]:
        return dict(orjson.loads(self.asked[-1][2]))


class House:
    """A bot over our session, and the platform it speaks with."""

    def __init__(self, api: BotApi, port: int) -> None:
        self.api = api
        self.client = SendingClient(AddressPolicy([f"127.0.0.1:{port}"]))
        server = TelegramAPIServer.from_base(f"http://127.0.0.1:{port}")
        self.session = TelegramSession(self.client, api=server, timeout=2)
        self.bot = Bot(TOKEN, session=self.session)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    api = BotApi()
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
    made = House(api, server.sockets[0].getsockname()[1])
    yield made
    await made.client.close()
    server.close()


BUTTONS = InlineKeyboardMarkup(
    inline_keyboard=[[InlineKeyboardButton(text="Shop", url="https://e.example/")]]
)


async def test_a_method_is_posted_as_json(house: House) -> None:
    taken = await house.bot(
        SendMessage(chat_id=1001, text="ciao è", reply_markup=BUTTONS, disable_notification=True)
    )

    path, head, _ = house.api.asked[0]
    assert path == f"/bot{TOKEN}/sendMessage"
    assert b"Content-Type: application/json\r\n" in head
    assert house.api.last_json == {
        "chat_id": 1001,
        "text": "ciao è",
        "disable_notification": True,
        "reply_markup": {"inline_keyboard": [[{"text": "Shop", "url": "https://e.example/"}]]},
    }
    assert taken == Taken((7,), MESSAGE)
    assert taken.messages == (MESSAGE,)


async def test_a_bots_defaults_are_applied(house: House) -> None:
    properties = DefaultBotProperties(
        parse_mode="HTML", link_preview=LinkPreviewOptions(is_disabled=True), protect_content=True
    )
    bot = Bot(TOKEN, session=house.session, default=properties)

    await bot(SendMessage(chat_id=1, text="x"))

    assert house.api.last_json == {
        "chat_id": 1,
        "text": "x",
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
        "protect_content": True,
    }


async def test_an_outline_is_the_same_call_with_another_chat(house: House) -> None:
    method = SendMessage(chat_id=0, text="ciao", reply_markup=BUTTONS)
    outline = house.session.outline(house.bot, method)

    for chat in (1001, -100123, "@aurora"):
        await house.bot(method.model_copy(update={"chat_id": chat}))
        by_method = house.api.last_json
        taken = await house.session.send(house.bot, outline, chat)

        assert house.api.last_json == by_method
        assert taken.message_ids == (7,)


async def test_a_file_makes_a_form(house: House) -> None:
    house.api.answer = {"ok": True, "result": [MESSAGE, {**MESSAGE, "message_id": 8}]}
    photos = [
        InputMediaPhoto(media=BufferedInputFile(b"\xff\xd8one", "one.jpg"), caption="è"),
        InputMediaPhoto(media="known-id"),
    ]

    taken = await house.bot(SendMediaGroup(chat_id=1001, media=photos, protect_content=True))

    _, head, body = house.api.asked[0]
    kind = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Type"))
    form = message_from_bytes(kind + b"\r\n\r\n" + body)
    parts: dict[str, Any] = {
        str(part.get_param("name", header="content-disposition")): part
        for part in form.get_payload()
    }
    media = orjson.loads(parts["media"].get_payload(decode=True))
    attached = media[0]["media"].removeprefix("attach://")
    assert parts["chat_id"].get_payload() == "1001"
    assert parts["protect_content"].get_payload() == "true"
    assert [each.get("caption") for each in media] == ["è", None]
    assert media[1]["media"] == "known-id"
    assert parts[attached].get_payload(decode=True) == b"\xff\xd8one"
    assert parts[attached].get_filename() == "one.jpg"
    assert taken.message_ids == (7, 8)


async def test_a_call_with_a_file_has_no_outline(house: House) -> None:
    method = SendPhoto(chat_id=1, photo=BufferedInputFile(b"x", "x.jpg"))

    with pytest.raises(ValueError, match="one chat only"):
        house.session.outline(house.bot, method)


async def test_results_that_callers_read_are_full_types(house: House) -> None:
    house.api.answer = {"ok": True, "result": {"id": 42, "is_bot": True, "first_name": "Aurora"}}
    me = await house.bot(GetMe())
    assert isinstance(me, User)
    assert me.id == 42

    house.api.answer = {
        "ok": True,
        "result": {"url": "", "has_custom_certificate": False, "pending_update_count": 3},
    }
    info = await house.bot(GetWebhookInfo())
    assert isinstance(info, WebhookInfo)
    assert info.pending_update_count == 3

    house.api.answer = {"ok": True, "result": True}
    assert await house.bot(DeleteMessage(chat_id=1, message_id=2)) is True
    assert await house.bot(EditMessageText(chat_id=1, message_id=2, text="x")) is True


async def test_times_and_lists_are_written_as_the_bot_api_reads_them(house: House) -> None:
    house.api.answer = {"ok": True, "result": True}

    await house.bot(SetWebhook(url="https://e.example/", allowed_updates=["message"]))
    assert house.api.last_json["allowed_updates"] == ["message"]

    until = datetime(2027, 1, 1, tzinfo=UTC)
    await house.bot.ban_chat_member(chat_id=1, user_id=2, until_date=until)
    assert house.api.last_json["until_date"] == str(int(until.timestamp()))


def no(code: int, description: str, **parameters: object) -> dict[str, object]:
    answer: dict[str, object] = {"ok": False, "error_code": code, "description": description}
    return {**answer, "parameters": parameters} if parameters else answer


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (400, no(400, "Bad Request: chat not found"), exceptions.TelegramBadRequest),
        (401, no(401, "Unauthorized"), exceptions.TelegramUnauthorizedError),
        (403, no(403, "Forbidden: bot was blocked by the user"), exceptions.TelegramForbiddenError),
        (404, no(404, "Not Found"), exceptions.TelegramNotFound),
        (409, no(409, "Conflict"), exceptions.TelegramConflictError),
        (413, no(413, "Request Entity Too Large"), exceptions.TelegramEntityTooLarge),
        (421, no(421, "Misdirected"), exceptions.TelegramAPIError),
        (500, no(500, "Internal Server Error"), exceptions.TelegramServerError),
        (500, no(500, "Internal Server Error: restart"), exceptions.RestartingTelegram),
        (502, b"<html>Bad Gateway</html>", exceptions.TelegramServerError),
        (504, b"", exceptions.TelegramServerError),
        (
            429,
            no(429, "Too Many Requests: retry after 9", retry_after=9),
            exceptions.TelegramRetryAfter,
        ),
        (429, no(429, "Too Many Requests"), exceptions.TelegramRetryAfter),
        (429, b"<html>slow down</html>", exceptions.TelegramRetryAfter),
        (
            400,
            no(400, "group upgraded", migrate_to_chat_id=-1001),
            exceptions.TelegramMigrateToChat,
        ),
        (400, b"<html>Bad Request</html>", UnreadableAnswer),
        (302, b"", UnreadableAnswer),
        (200, b"<html>welcome to our wifi</html>", UnreadableAnswer),
        (200, b"", UnreadableAnswer),
        (200, b"[1]", UnreadableAnswer),
        (200, {"ok": "yes"}, UnreadableAnswer),
        (200, {"ok": False}, UnreadableAnswer),
        (200, no(400, "Bad Request: chat not found"), exceptions.TelegramBadRequest),
        (403, {"ok": True, "result": MESSAGE}, UnreadableAnswer),
        (503, {"ok": True, "result": MESSAGE}, exceptions.TelegramServerError),
    ],
)
async def test_each_refusal_is_aiograms_own_exception(
    house: House, status: int, answer: object, expected: type[Exception]
) -> None:
    house.api.status, house.api.answer = status, answer
    method = SendMessage(chat_id=1001, text="x")

    with pytest.raises(expected) as by_method:
        await house.bot(method)
    with pytest.raises(expected) as by_outline:
        await house.session.send(house.bot, house.session.outline(house.bot, method), 1001)

    for raised in (by_method.value, by_outline.value):
        assert type(raised) is expected
        assert "1001" not in str(raised)


@pytest.mark.parametrize(
    ("parameters", "header", "wait"),
    [
        ({"retry_after": 9}, "", 9),
        ({"retry_after": 2.5}, "", 3),
        ({"retry_after": "soon"}, "", DEFAULT_WAIT),
        ({}, "Retry-After: 17\r\n", 17),
        ({}, "Retry-After: Fri, 31 Dec 2027 23:59:59 GMT\r\n", DEFAULT_WAIT),
        ({}, "", DEFAULT_WAIT),
    ],
)
async def test_a_throttle_always_says_how_long(
    house: House, parameters: dict[str, object], header: str, wait: int
) -> None:
    house.api.status, house.api.headers = 429, header
    house.api.answer = no(429, "Too Many Requests", **parameters)

    with pytest.raises(exceptions.TelegramRetryAfter) as throttled:
        await house.bot(SendMessage(chat_id=1, text="x"))

    assert throttled.value.retry_after == wait


@pytest.mark.parametrize("result", [{"message_id": "7"}, "yes", None, 5, [[]], {}])
async def test_a_yes_in_a_strange_shape_is_still_a_yes(house: House, result: object) -> None:
    house.api.answer = {"ok": True, "result": result}

    assert (await house.bot(SendMessage(chat_id=1, text="x"))).message_ids == ()


async def test_a_full_type_of_a_strange_shape_tells_nothing_of_it(house: House) -> None:
    house.api.answer = {"ok": True, "result": {"id": "PRIVATE"}}

    with pytest.raises(UnreadableAnswer) as error:
        await house.bot(GetMe())

    assert "PRIVATE" not in "".join(traceback.format_exception(error.value))


async def test_nothing_leaves_after_the_start_deadline(house: House) -> None:
    method = SendMessage(chat_id=1, text="x")
    outline = house.session.outline(house.bot, method)
    past = clock.ticks() - 0.01

    token = START_BEFORE.set(past)
    with pytest.raises(StartedTooLate):
        await house.bot(method)
    START_BEFORE.reset(token)
    with pytest.raises(StartedTooLate):
        await house.session.send(house.bot, outline, 1, start_before=past)

    assert house.api.asked == []


async def test_what_was_not_sent_and_what_was_lost_stay_apart() -> None:
    port = closed_port()
    refusing = House(BotApi(), port)
    with pytest.raises(NotSent, match="connect_refused"):
        await refusing.bot(SendMessage(chat_id=1, text="x"))

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    losing = House(BotApi(), server.sockets[0].getsockname()[1])
    with pytest.raises(Lost) as lost:
        await losing.bot(SendMessage(chat_id=1, text="x"))
    assert TOKEN not in "".join(traceback.format_exception(lost.value))
    await losing.client.close()
    server.close()


async def test_the_token_is_in_no_text(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    texts = [repr(house.session.outline(house.bot, SendMessage(chat_id=1, text="x")))]
    for status, answer in ((400, no(400, "Bad Request")), (502, b"x"), (200, b"x"), (429, b"x")):
        house.api.status, house.api.answer = status, answer
        with pytest.raises(exceptions.AiogramError) as error:
            await house.bot(SendMessage(chat_id=1, text="x"))
        texts.append("".join(traceback.format_exception(error.value)))

    assert not [text for text in [*texts, caplog.text] if "secret" in text]


async def test_a_file_is_read_in_pieces(house: House) -> None:
    house.api.answer = b"0123456789"
    url = house.session.api.file_url(TOKEN, "photos/1.jpg")

    pieces = [piece async for piece in house.session.stream_content(url, chunk_size=4)]

    assert pieces == [b"0123", b"4567", b"89"]
    house.api.status = 404
    with pytest.raises(UnreadableAnswer):
        [piece async for piece in house.session.stream_content(url)]
