"""The Bot API's HTTP side: one path for every call, and every call in the log.

No framework routes these calls, because load runs send thousands of them a second.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from channels.base.simulator.faults import Fault
from channels.base.simulator.log import NO_CONTENT
from channels.base.simulator.requests import (
    BodyTooLarge,
    ClientGone,
    Upload,
    answer,
    first_byte_ns,
    header,
    lose_answer,
    read_body,
)
from channels.telegram.simulator import account, editing, sending
from channels.telegram.simulator.call import Call, digest, read_params
from channels.telegram.simulator.contents import MAKERS
from channels.telegram.simulator.errors import (
    BotApiError,
    bad_request,
    blocked_by_person,
    deactivated,
    not_found,
    throttled,
    too_large,
    unauthorized,
)
from channels.telegram.simulator.files import FILE_BYTES
from channels.telegram.simulator.network import Network
from channels.telegram.simulator.state import Bot

Handler = Callable[[Network, Call, bytes], Awaitable[bytes]]

BODY_BYTES = FILE_BYTES * 2
API = "/telegram/bot"
FILES = "/telegram/file/bot"
BIG = 1 << 20
bad_content = partial(bad_request, "can't parse entities: Unclosed start tag at byte offset 0")

_MESSAGES: dict[str, Handler] = {
    **dict.fromkeys(MAKERS, sending.send),
    "copyMessage": sending.copy_message,
    "copyMessages": sending.copy_messages,
    "forwardMessage": sending.forward_message,
    "forwardMessages": sending.forward_messages,
}
_OTHERS: dict[str, Handler] = {
    "getMe": account.get_me,
    "setWebhook": account.set_webhook,
    "deleteWebhook": account.delete_webhook,
    "getWebhookInfo": account.get_webhook_info,
    "getUpdates": account.get_updates,
    "getFile": account.get_file,
    "getChat": account.get_chat,
    "getChatMember": account.get_chat_member,
    "setMyCommands": account.set_my_commands,
    "getMyCommands": account.get_my_commands,
    "setMyName": account.set_my_name,
    "getMyName": account.get_my_name,
    "close": account.close,
    "logOut": account.close,
    "editMessageText": editing.edit_text,
    "editMessageCaption": editing.edit_caption,
    "editMessageMedia": editing.edit_media,
    "editMessageReplyMarkup": editing.edit_markup,
    "deleteMessage": editing.delete_message,
    "deleteMessages": editing.delete_messages,
    "answerCallbackQuery": editing.answer_callback_query,
    "sendChatAction": editing.send_chat_action,
}
METHODS: dict[str, tuple[str, Handler]] = {
    name.lower(): (name, handler) for name, handler in (_MESSAGES | _OTHERS).items()
}
MESSAGES = frozenset(_MESSAGES)


class BotApi:
    """The platform's ASGI application."""

    def __init__(self, network: Network) -> None:
        """Serve this network."""
        self._network = network

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if path.startswith(API):
            token, _, method = path[len(API) :].partition("/")
            await self._call(scope, receive, send, token, method)
        elif path.startswith(FILES):
            token, _, file_path = path[len(FILES) :].partition("/")
            await self._download(send, token, file_path)
        else:
            await _refuse(send, not_found())

    async def _call(
        self, scope: Scope, receive: Receive, send: Send, token: str, method: str
    ) -> None:
        at_ns = first_byte_ns(scope)
        name, handler = METHODS.get(method.lower(), (method[:64], None))
        bot: Bot | None = None
        address: str | None = None
        said = NO_CONTENT
        lost = False
        try:
            params, files = await _read(scope, receive)
            address = _address(params)
            said = await _digest(name, params, files)
            bot = self._network.bot_of(token)
            if handler is None:
                raise not_found()
            result, lost = await self._perform(
                Call(bot, name, params, files), handler, said, address
            )
        except BotApiError as error:
            outcome = f"{error.code} {error.description}"
            self._log(at_ns, bot, name, address, outcome, said)
            await _refuse(send, error)
            return
        except ClientGone:
            self._log(at_ns, bot, name, address, "incomplete", said)
            return
        self._log(at_ns, bot, name, address, "taken", said)
        if lost:
            await lose_answer(scope, receive, send)
        else:
            await answer(send, 200, b'{"ok":true,"result":' + result + b"}")

    async def _perform(
        self, call: Call, handler: Handler, said: bytes, address: str | None
    ) -> tuple[bytes, bool]:
        """Carry a call out, past the gate and the faults; tell whether to lose the answer."""
        network = self._network
        message = call.method in MESSAGES
        if message and network.gate.closed:
            await network.gate.wait()
        if message and call.bot.limits.answer_after:
            await asyncio.sleep(call.bot.limits.answer_after)
        if not network.faults.active:
            return await handler(network, call, said), False
        fault = network.faults.draw(
            account=str(call.bot.id), method=call.method, address=address, message=message
        )
        if fault is None:
            return await handler(network, call, said), False
        if fault.kind == "slow":
            await network.clock.sleep(fault.seconds)
        elif fault.kind != "answer_lost":
            raise _fault_error(fault)
        return await handler(network, call, said), fault.kind == "answer_lost"

    async def _download(self, send: Send, token: str, file_path: str) -> None:
        try:
            bot = self._network.bot_of(token)
        except BotApiError as error:
            await _refuse(send, error)
            return
        key = file_path.rpartition("/")[2].partition(".")[0]
        kept = self._network.blobs.get(key)
        if kept is None or all(stored.blob != key for stored in bot.files.values()):
            await _refuse(send, not_found())
            return
        data, mime = kept
        await answer(send, 200, data, [(b"content-type", mime.encode("latin-1", "replace"))])

    def _log(
        self,
        at_ns: int,
        bot: Bot | None,
        method: str,
        address: str | None,
        outcome: str,
        said: bytes,
    ) -> None:
        self._network.log.add(
            at_ns=at_ns,
            channel="telegram",
            account=None if bot is None else str(bot.id),
            method=method,
            address=address,
            outcome=outcome,
            digest=said,
        )


async def _read(scope: Scope, receive: Receive) -> tuple[dict[str, Any], dict[str, Upload]]:
    try:
        body = await read_body(receive, BODY_BYTES)
    except BodyTooLarge:
        raise too_large() from None
    content_type = header(scope, b"content-type").decode("latin-1") if body else ""
    try:
        params, files = read_params(body, content_type, scope.get("query_string", b""))
    except ValueError as error:
        raise bad_request("can't parse request body") from error
    if any(len(file.data) > FILE_BYTES for file in files.values()):
        raise too_large()
    return params, files


async def _digest(name: str, params: dict[str, Any], files: dict[str, Upload]) -> bytes:
    if files and sum(len(file.data) for file in files.values()) > BIG:
        return await asyncio.to_thread(digest, name, params, files)
    return digest(name, params, files)


def _address(params: dict[str, Any]) -> str | None:
    chat_id = params.get("chat_id")
    return None if chat_id is None else str(chat_id)


def _fault_error(fault: Fault) -> BotApiError:
    match fault.kind:
        case "rate_limited":
            return throttled(fault.retry_after)
        case "blocked":
            return blocked_by_person()
        case "gone":
            return deactivated()
        case "bad_content":
            return bad_content()
        case "bad_account":
            return unauthorized()
        case _:
            return BotApiError(503, "Service Unavailable")


async def _refuse(send: Send, error: BotApiError) -> None:
    value: dict[str, Any] = {
        "ok": False,
        "error_code": error.code,
        "description": error.description,
    }
    headers = [(b"content-type", b"application/json")]
    if error.retry_after is not None:
        value["parameters"] = {"retry_after": error.retry_after}
        headers.append((b"retry-after", b"%d" % error.retry_after))
    await answer(send, error.code, orjson.dumps(value), headers)
