"""What Telegram's odd answers and aiogram's exceptions mean, down to single bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiogram import exceptions, methods

from channels.base import outcomes
from channels.base.channel import Delivery
from channels.telegram.credentials import Credentials
from channels.telegram.failures import outcome_of
from channels.telegram.outbound import TelegramSender, open_sender
from channels.telegram.refusals import UnreadableAnswer
from channels.telegram.render import render, text
from shared import clock
from shared.contracts.stories import Frame, Part, RenderedStory
from shared.http import Lost, NotSent, StartedTooLate
from shared.ids import new_id
from shared.security.addresses import AddressPolicy
from tests.channels.shelf import Shelf, photo_facts, picture


def deliver(part: Part) -> Delivery:
    return Delivery(
        attempt_id=new_id(),
        message_id=new_id(),
        part_number=0,
        address="42",
        part=part,
        start_before=clock.ticks() + 5,
    )


def one_picture(shelf: Shelf) -> Part:
    media_id = shelf.put(picture("red"))
    media = {media_id: photo_facts(media_id)}
    frames = (Frame(media_id=media_id),)
    story = RenderedStory(title="t", language="it", frames=frames, media=media)
    return render(story, {}).parts[0]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@asynccontextmanager
async def answering(answer: bytes, shelf: Shelf) -> AsyncIterator[TelegramSender]:
    """Open a bot whose server gives everybody this answer, byte for byte."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    opened = open_sender(
        Credentials(token="42:TEST", api_base=f"http://127.0.0.1:{port}"),
        shelf=shelf,
        addresses=AddressPolicy([f"127.0.0.1:{port}"]),
    )
    try:
        yield opened
    finally:
        await opened.close()
        server.close()
        await server.wait_closed()


def http(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.mark.parametrize(
    ("answer", "meaning", "code"),
    [
        (http("200 OK", b"<html>"), outcomes.OutcomeUnknown, "unreadable_answer"),
        (
            http("200 OK", b'{"ok":true,"result":true}'),
            outcomes.OutcomeUnknown,
            "unreadable_answer",
        ),
        (http("200 OK", b""), outcomes.OutcomeUnknown, "unreadable_answer"),
        (http("302 Found", b"", "Location: /"), outcomes.OutcomeUnknown, "unreadable_answer"),
        (http("404 Not Found", b"<html>"), outcomes.OutcomeUnknown, "unreadable_answer"),
        (http("502 Bad Gateway", b"<html>"), outcomes.OutcomeUnknown, "platform_error"),
        (http("429 Too Many", b""), outcomes.Throttled, "rate_limited"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", outcomes.OutcomeUnknown, "answer_cut"),
        (b"nonsense\r\n\r\n", outcomes.OutcomeUnknown, "answer_garbled"),
        (b"", outcomes.OutcomeUnknown, "connection_closed"),
        (
            http(
                "400 Bad Request",
                b'{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded '
                b'to a supergroup chat","parameters":{"migrate_to_chat_id":-1001}}',
            ),
            outcomes.Moved,
            "migrated",
        ),
    ],
)
async def test_an_odd_answer_has_a_meaning(
    shelf: Shelf, answer: bytes, meaning: type[outcomes.SendError], code: str
) -> None:
    async with answering(answer, shelf) as sender:
        with pytest.raises(outcomes.SendError) as caught:
            await sender.send(deliver(text("ciao", {})))

    assert type(caught.value) is meaning
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("result", "ids"),
    [
        (b'{"message_id":7}', ("7",)),
        (b'{"message_id":0}', ()),
        (b'[{"message_id":1},{"message_id":2}]', ("1", "2")),
        (b'{"unheard_of":1}', ()),
    ],
)
async def test_a_yes_is_a_yes_whatever_its_shape(
    shelf: Shelf, result: bytes, ids: tuple[str, ...]
) -> None:
    async with answering(http("200 OK", b'{"ok":true,"result":' + result + b"}"), shelf) as sender:
        sent = await sender.send(deliver(text("ciao", {})))

    assert sent == outcomes.Sent(ids)


async def test_deleted_at_once_is_sent(shelf: Shelf) -> None:
    sentence = (
        b'{"ok":false,"error_code":500,"description":"Internal Server Error: sent message '
        b"was immediately deleted and can't be returned\"}"
    )
    async with answering(http("500 Internal Server Error", sentence), shelf) as sender:
        assert await sender.send(deliver(text("ciao", {}))) == outcomes.Sent(())


async def test_an_upload_whose_answer_is_strange_is_sent_and_given_up(shelf: Shelf) -> None:
    async with answering(http("200 OK", b'{"ok":true,"result":{"message_id":7}}'), shelf) as sender:
        sent = await sender.send(deliver(one_picture(shelf)))

    assert sent.platform_ids == ("7",)
    assert shelf.references == {}
    assert shelf.uploading == {}


async def test_a_wrong_file_id_in_an_upload_is_final(shelf: Shelf) -> None:
    refused = b'{"ok":false,"error_code":400,"description":"Bad Request: wrong file identifier"}'
    async with answering(http("400 Bad Request", refused), shelf) as sender:
        with pytest.raises(outcomes.BadContent):
            await sender.send(deliver(one_picture(shelf)))

    assert shelf.uploading == {}


SAY = methods.SendMessage(chat_id=1, text="x")


@pytest.mark.parametrize(
    ("failure", "meaning"),
    [
        (StartedTooLate(), outcomes.TooLate),
        (NotSent("connect_refused"), outcomes.TryAgain),
        (NotSent("forbidden_address"), outcomes.AccountBroken),
        (Lost("answer_timeout"), outcomes.OutcomeUnknown),
        (UnreadableAnswer(200), outcomes.OutcomeUnknown),
        (exceptions.TelegramRetryAfter(SAY, "x", 5), outcomes.Throttled),
        (exceptions.TelegramMigrateToChat(SAY, "x", -1001), outcomes.Moved),
        (exceptions.TelegramBadRequest(SAY, "x"), outcomes.Refused),
        (exceptions.TelegramUnauthorizedError(SAY, "x"), outcomes.AccountBroken),
        (exceptions.TelegramForbiddenError(SAY, "x"), outcomes.Unreachable),
        (exceptions.TelegramNotFound(SAY, "Not Found"), outcomes.AccountBroken),
        (exceptions.TelegramConflictError(SAY, "x"), outcomes.TryAgain),
        (exceptions.TelegramEntityTooLarge(SAY, "x"), outcomes.BadContent),
        (exceptions.TelegramServerError(SAY, "x"), outcomes.OutcomeUnknown),
        (exceptions.RestartingTelegram(SAY, "restart"), outcomes.OutcomeUnknown),
        (exceptions.TelegramAPIError(SAY, "Misdirected Request"), outcomes.AccountBroken),
    ],
)
def test_every_exception_has_its_meaning(
    failure: exceptions.AiogramError | Lost | NotSent, meaning: type[outcomes.SendError]
) -> None:
    assert type(outcome_of(failure, group=False)) is meaning
