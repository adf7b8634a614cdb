"""The methods that put something on a phone: find the chat, check the pace, show, answer."""

import secrets
from typing import Any

import orjson

from channels.telegram.simulator.call import Call
from channels.telegram.simulator.contents import MAKERS, caption_of, keyboard_of
from channels.telegram.simulator.errors import (
    bad_request,
    blocked_by_person,
    chat_not_found,
    deactivated,
    forbidden,
    never_started,
    throttled,
)
from channels.telegram.simulator.limits import too_fast
from channels.telegram.simulator.network import Network
from channels.telegram.simulator.state import Bot, Chat, Shown, fragment, message_json

CACHED = 4096
UPLOAD_SPACED_BYTES = 100_000
UPLOAD_SPACING = 0.5
UPLOAD_BACKLOG = 5.0
BATCH = range(1, 101)


async def send(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out a `send…` method; return its result as JSON."""
    contents = await _contents(network, call, digest)
    chat = chat_for(network, call)
    reply = _reply(call, chat)
    pace(network, call, chat, messages=len(contents))
    album = call.method == "sendMediaGroup"
    shown = show(network, call.bot, chat, contents, album=album, reply=reply)
    if album:
        return b"[" + b",".join(message_json(call.bot, chat, message) for message in shown) + b"]"
    return message_json(call.bot, chat, shown[0])


async def _contents(network: Network, call: Call, digest: bytes) -> list[bytes]:
    """Return what the call says, one piece of JSON a message.

    A campaign says the same to everybody, so what a bot said lately is not worked out again. An
    upload is: it is what gives its file an id.
    """
    key = (call.bot.id, digest)
    cached = network.contents.get(key)
    if cached is not None:
        return cached
    if call.files:
        _space_uploads(network, call)
    contents = [fragment(content) for content in await MAKERS[call.method](call, network.blobs)]
    if not call.files:
        if len(network.contents) >= CACHED:
            network.contents.clear()
        network.contents[key] = contents
    return contents


def chat_for(network: Network, call: Call, name: str = "chat_id") -> Chat:
    """Return the chat that a call names, if the bot may write there now."""
    chat = find_chat(network, call, name)
    person = chat.person
    if person is not None:
        if person.deactivated:
            raise deactivated()
        if chat.blocked:
            raise blocked_by_person()
        if not chat.opened:
            raise never_started()
    elif chat.blocked:
        raise forbidden(f"bot was kicked from the {chat.kind} chat")
    return chat


def find_chat(network: Network, call: Call, name: str = "chat_id") -> Chat:
    """Return the chat that a call names, whether the bot may write there or not."""
    value = call.params.get(name)
    if value is None or value == "":
        raise bad_request(f"{name} is empty")
    if isinstance(value, str) and value.startswith("@"):
        for chat in call.bot.chats.values():
            if chat.username and chat.username.lower() == value[1:].lower() and chat.person is None:
                return chat
        raise chat_not_found()
    try:
        chat_id = int(value)
    except (TypeError, ValueError):
        raise chat_not_found() from None
    found = call.bot.chats.get(chat_id)
    if found is not None:
        return found
    if chat_id in network.people:
        raise never_started()
    if chat_id in network.bots:
        raise forbidden("bot can't send messages to bots")
    raise chat_not_found()


def pace(network: Network, call: Call, chat: Chat, *, messages: int) -> None:
    """Count a call, or raise the 429 that says how long to wait."""
    bot = call.bot
    wait = too_fast(
        bot.limits,
        bot=bot.meter,
        chat=chat.meter,
        group=chat.is_group,
        paid=call.flag("allow_paid_broadcast"),
        messages=messages if bot.limits.album_counts_items else 1,
        now=network.clock.ticks(),
    )
    if wait:
        raise throttled(wait)


def _space_uploads(network: Network, call: Call) -> None:
    size = sum(len(file.data) for file in call.files.values())
    if not call.bot.limits.upload_spacing or size <= UPLOAD_SPACED_BYTES:
        return
    now = network.clock.ticks()
    due = max(now, call.bot.upload_due.get(size, 0.0))
    if due - now > UPLOAD_BACKLOG:
        raise throttled(60)
    call.bot.upload_due[size] = due + UPLOAD_SPACING


def show(
    network: Network,
    bot: Bot,
    chat: Chat,
    contents: list[bytes],
    *,
    album: bool = False,
    reply: bytes = b"",
) -> list[Shown]:
    """Put messages of the bot into a chat."""
    now = network.clock.now()
    group = str(secrets.randbits(53)) if album else None
    shown = []
    for content in contents:
        message = Shown(
            bot.next_message_id(), int(now), content + reply, album=group, at_ms=int(now * 1000)
        )
        chat.add(message)
        shown.append(message)
    chat.count += len(contents)
    network.show_change(str(bot.id), str(chat.id))
    return shown


def _reply(call: Call, chat: Chat) -> bytes:
    parameters = call.structure("reply_parameters") or {}
    wanted = parameters.get("message_id") if isinstance(parameters, dict) else None
    wanted = wanted or call.integer("reply_to_message_id")
    if not wanted:
        return b""
    answered = chat.find(int(wanted))
    if answered is not None:
        return b',"reply_to_message":' + message_json(call.bot, chat, answered)
    lenient = isinstance(parameters, dict) and parameters.get("allow_sending_without_reply")
    if lenient or call.flag("allow_sending_without_reply"):
        return b""
    raise bad_request("message to be replied not found")


async def copy_message(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `copyMessage`: the same content, without a link to the original."""
    source = _source(network, call, call.integer("message_id"))
    content = source.parsed()
    content.pop("reply_markup", None)
    if call.params.get("caption") is not None:
        for name in ("caption", "caption_entities"):
            content.pop(name, None)
        content |= caption_of(
            call.text("caption"),
            call.text("parse_mode"),
            call.structure("caption_entities"),
            above=call.flag("show_caption_above_media"),
        )
    content |= keyboard_of(call)
    return b'{"message_id":%d}' % _shown_again(network, call, [content])[0].id


async def copy_messages(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `copyMessages`; what cannot be found is skipped."""
    contents = []
    for source in _sources(network, call):
        content = source.parsed()
        content.pop("reply_markup", None)
        if call.flag("remove_caption"):
            content.pop("caption", None)
        contents.append(content)
    shown = _shown_again(network, call, contents)
    return orjson.dumps([{"message_id": message.id} for message in shown])


async def forward_message(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `forwardMessage`: the content with its origin."""
    source = _source(network, call, call.integer("message_id"))
    shown = _shown_again(network, call, [_forwarded(call.bot, source)])
    return message_json(call.bot, chat_for(network, call), shown[0])


async def forward_messages(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `forwardMessages`; what cannot be found is skipped."""
    contents = [_forwarded(call.bot, source) for source in _sources(network, call)]
    shown = _shown_again(network, call, contents)
    return orjson.dumps([{"message_id": message.id} for message in shown])


def _forwarded(bot: Bot, source: Shown) -> dict[str, Any]:
    content = source.parsed()
    content.pop("reply_markup", None)
    origin = {"type": "user", "sender_user": bot.as_user(), "date": source.date}
    return content | {"forward_origin": origin}


def _source(network: Network, call: Call, message_id: int | None) -> Shown:
    verb = "copy" if call.method.startswith("copy") else "forward"
    source = find_chat(network, call, "from_chat_id").find(message_id or 0)
    if source is None:
        raise bad_request(f"message to {verb} not found")
    return source


def _sources(network: Network, call: Call) -> list[Shown]:
    ids = message_ids(call)
    if ids != sorted(set(ids)):
        raise bad_request("identifiers of messages must be in a strictly increasing order")
    chat = find_chat(network, call, "from_chat_id")
    found = [message for message in map(chat.find, ids) if message is not None]
    if not found:
        verb = "copy" if call.method.startswith("copy") else "forward"
        raise bad_request(f"there are no messages to {verb}")
    return found


def message_ids(call: Call) -> list[int]:
    """Return the 1–100 ids of `message_ids`."""
    ids = call.structure("message_ids")
    if not isinstance(ids, list):
        raise bad_request("expected an Array of message identifiers")
    if len(ids) not in BATCH:
        raise bad_request(
            "too many message identifiers specified"
            if ids
            else "message identifiers are not specified"
        )
    try:
        return [int(message_id) for message_id in ids]
    except (TypeError, ValueError) as error:
        raise bad_request("message identifier must be a Number") from error


def _shown_again(network: Network, call: Call, contents: list[dict[str, Any]]) -> list[Shown]:
    chat = chat_for(network, call)
    pace(network, call, chat, messages=len(contents))
    return show(network, call.bot, chat, [fragment(content) for content in contents])
