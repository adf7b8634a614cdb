"""aiogram's way out: its methods, types and errors, over the house's sending client.

`make_request` serves every aiogram method. `send` serves the one call a campaign makes a million
times: the method is built and serialised once (`outline`), and only the chat differs.
"""

from collections.abc import AsyncGenerator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any, cast, get_args

import orjson
from aiogram import Bot
from aiogram.client.session.base import BaseSession
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.methods import TelegramMethod
from aiogram.types import InputFile, Message, MessageId
from pydantic import TypeAdapter, ValidationError

from channels.telegram.refusals import UnreadableAnswer, refusal
from shared.http import FilePart, Prepared, Response, SendingClient, multipart

START_BEFORE: ContextVar[float | None] = ContextVar("START_BEFORE", default=None)
"""No byte of a request made in this context leaves later, in `shared.clock.ticks()`."""

_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Taken:
    """What Telegram made of a send: the ids of its messages, and the rest as it came."""

    message_ids: tuple[int, ...]
    """Empty when Telegram said yes in a shape we do not know."""
    result: Any

    @property
    def messages(self) -> tuple[Mapping[str, Any], ...]:
        """Return each message as Telegram wrote it: `photo`, `video` and the rest."""
        found = self.result if isinstance(self.result, list) else [self.result]
        return tuple(each for each in found if isinstance(each, dict))


@dataclass(frozen=True, slots=True, repr=False)
class Outline:
    """One call for many people: everything but the chat, ready to be written."""

    method: TelegramMethod[Any]
    prepared: Prepared
    before_chat: bytes


class TelegramSession(BaseSession):
    """A session whose failures say whether anything was sent.

    `NotSent`, `StartedTooLate` and `Lost` come through as they are (aiogram's own session makes one
    `TelegramNetworkError` of all three). What Telegram answers becomes aiogram's exceptions; their
    texts may hold a chat's id, so they are for `errors.py` to read and never for a log.
    Methods that return messages return `Taken`: the full types cost more than the whole request.
    """

    def __init__(
        self,
        client: SendingClient,
        *,
        api: TelegramAPIServer = PRODUCTION,
        timeout: float = 30.0,
    ) -> None:
        """Send through `client`, which belongs to the caller: `close` leaves it open."""
        super().__init__(api=api, json_loads=orjson.loads, json_dumps=_dumps, timeout=timeout)
        self._client = client
        self._prepared: dict[tuple[str, str], Prepared] = {}

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[Any],
        timeout: int | None = None,
    ) -> Any:
        """Make one call; JSON, or a form where the method carries a file."""
        body, content_type = await self._body(bot, method)
        response = await self._client.send(
            self._head(bot, method, content_type),
            body,
            start_before=START_BEFORE.get(),
            timeout=timeout or self.timeout,
        )
        return _result(bot, method, response)

    def outline(self, bot: Bot, method: TelegramMethod[Any]) -> Outline:
        """Serialise a method without its chat; raise ValueError when it carries a file."""
        files: dict[str, InputFile] = {}
        fields = self._fields(bot, method, files)
        if files:
            raise ValueError("a call with a file in it is made for one chat only")
        fields.pop("chat_id", None)
        start = _bytes(fields)[:-1] + (b"," if fields else b"") + b'"chat_id":'
        return Outline(method, self._head(bot, method, _JSON), start)

    async def send(
        self,
        bot: Bot,
        outline: Outline,
        chat_id: int | str,
        *,
        start_before: float | None = None,
    ) -> Taken:
        """Make an outlined call for one chat; the same errors as `make_request`."""
        chat = b"%d" % chat_id if isinstance(chat_id, int) else _bytes(chat_id)
        response = await self._client.send(
            outline.prepared,
            b"%b%b}" % (outline.before_chat, chat),
            start_before=start_before,
            timeout=self.timeout,
        )
        return self.read(bot, outline, response)

    def read(self, bot: Bot, outline: Outline, response: Response) -> Taken:
        """Return what Telegram made of an outlined call; the same errors as `make_request`."""
        return cast(Taken, _result(bot, outline.method, response))

    async def stream_content(
        self,
        url: str,
        headers: dict[str, Any] | None = None,
        timeout: int = 30,
        chunk_size: int = 65_536,
        raise_for_status: bool = True,
    ) -> AsyncGenerator[bytes, None]:
        """Yield a file's bytes in pieces; read whole first, as files here are small."""
        prepared = self._client.prepare(url, headers or {}, method="GET")
        response = await self._client.send(prepared, timeout=timeout)
        if raise_for_status and response.status >= 400:
            raise UnreadableAnswer(response.status)
        for start in range(0, len(response.body), chunk_size):
            yield response.body[start : start + chunk_size]

    async def close(self) -> None:
        """Do nothing: the client belongs to who made it."""

    def _head(self, bot: Bot, method: TelegramMethod[Any], content_type: str) -> Prepared:
        key = (bot.token, method.__api_method__)
        known = self._prepared.get(key) if content_type == _JSON else None
        if known is not None:
            return known
        url = self.api.api_url(token=bot.token, method=method.__api_method__)
        made = self._client.prepare(url, {"Content-Type": content_type})
        if content_type == _JSON:
            self._prepared[key] = made
        return made

    def _fields(
        self, bot: Bot, method: TelegramMethod[Any], files: dict[str, InputFile]
    ) -> dict[str, Any]:
        given = method.model_dump(warnings=False)
        prepared = {
            name: self.prepare_value(value, bot=bot, files=files, _dumps_json=False)
            for name, value in given.items()
            if value is not None
        }
        return {name: value for name, value in prepared.items() if value is not None}

    async def _body(self, bot: Bot, method: TelegramMethod[Any]) -> tuple[bytes | list[bytes], str]:
        files: dict[str, InputFile] = {}
        fields = self._fields(bot, method, files)
        if not files:
            return _bytes(fields), _JSON
        parts = [
            FilePart(key, file.filename or key, b"".join([chunk async for chunk in file.read(bot)]))
            for key, file in files.items()
        ]
        texts = {name: v if isinstance(v, str) else _dumps(v) for name, v in fields.items()}
        return multipart(texts, parts)


def id_of_message(response: Response) -> str | None:
    """Return the id where the answer is the ordinary one: yes, and it is this message."""
    if response.status != 200:
        return None
    answer = _read(response)
    if answer is None or answer.get("ok") is not True:
        return None
    result = answer.get("result")
    number = result.get("message_id") if isinstance(result, dict) else None
    return str(number) if type(number) is int and number else None


def _result(bot: Bot, method: TelegramMethod[Any], response: Response) -> Any:
    """Return what a method returns, or raise what Telegram's refusal means."""
    answer = _read(response)
    if not (200 <= response.status < 300 and answer is not None and answer.get("ok") is True):
        raise refusal(method, response, answer)
    result = answer.get("result")
    if _makes_messages(method.__returning__) and not isinstance(result, bool):
        return Taken(_message_ids(result), result)
    try:
        return _adapter(method.__returning__).validate_python(result, context={"bot": bot})
    except ValidationError:
        # Without its cause, whose text repeats the answer.
        raise UnreadableAnswer(response.status) from None


def _read(response: Response) -> dict[str, Any] | None:
    try:
        answer = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None


@cache
def _makes_messages(returning: Any) -> bool:
    """Recognise `Message`, `MessageId`, lists of them, and `Message | bool`."""
    return not {Message, MessageId}.isdisjoint({returning, *get_args(returning)})


@cache
def _adapter(returning: Any) -> TypeAdapter[Any]:
    return TypeAdapter(returning)


def _message_ids(result: object) -> tuple[int, ...]:
    messages = result if isinstance(result, list) else [result]
    found = [each.get("message_id") for each in messages if isinstance(each, dict)]
    return tuple(each for each in found if isinstance(each, int))


def _bytes(value: object) -> bytes:
    return orjson.dumps(value)


def _dumps(value: object) -> str:
    return orjson.dumps(value).decode()
