"""The methods that change what a phone already shows: edits, deletions, answers to taps."""

from typing import Any

from channels.telegram.simulator.call import Call
from channels.telegram.simulator.contents import (
    KINDS,
    caption_of,
    input_media,
    keyboard_of,
    rich_content,
    text_content,
)
from channels.telegram.simulator.errors import bad_request
from channels.telegram.simulator.network import Network
from channels.telegram.simulator.sending import chat_for, find_chat, message_ids, pace
from channels.telegram.simulator.state import Chat, Shown, fragment, message_json

DELETABLE_SECONDS = 48 * 3600
ANSWER_CHARACTERS = 200
_TEXT_FIELDS = ("text", "entities", "link_preview_options", "rich_message")
_CAPTION_FIELDS = ("caption", "caption_entities", "show_caption_above_media")


async def edit_text(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `editMessageText`, for texts and for rich messages."""
    chat, message = _own(network, call, "edit")
    content = message.parsed()
    if "text" not in content and "rich_message" not in content:
        raise bad_request("there is no text in the message to edit")
    make = rich_content if call.structure("rich_message") else text_content
    (made,) = await make(call, network.blobs)
    return _changed(network, call, chat, message, content, _TEXT_FIELDS, made)


async def edit_caption(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `editMessageCaption`; an empty caption takes it away."""
    chat, message = _own(network, call, "edit")
    content = message.parsed()
    if not any(kind in content for kind in KINDS):
        raise bad_request("there is no caption in the message to edit")
    made = caption_of(
        call.text("caption"),
        call.text("parse_mode"),
        call.structure("caption_entities"),
        above=call.flag("show_caption_above_media"),
    )
    return _changed(
        network, call, chat, message, content, _CAPTION_FIELDS, made | keyboard_of(call)
    )


async def edit_media(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `editMessageMedia`; an album's item stays what an album may hold."""
    chat, message = _own(network, call, "edit")
    content = message.parsed()
    item = call.structure("media")
    made = await input_media(call, network.blobs, item)
    if message.album is not None and "animation" in made:
        raise bad_request("can't use the media of the specified type in the album")
    fields = (*KINDS, *_CAPTION_FIELDS, *_TEXT_FIELDS, "has_media_spoiler")
    return _changed(network, call, chat, message, content, fields, made | keyboard_of(call))


async def edit_markup(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `editMessageReplyMarkup`."""
    chat, message = _own(network, call, "edit")
    return _changed(network, call, chat, message, message.parsed(), (), keyboard_of(call))


def _own(network: Network, call: Call, verb: str) -> tuple[Chat, Shown]:
    if call.text("inline_message_id"):
        raise bad_request("MESSAGE_ID_INVALID")
    chat = _chat(network, call)
    message = chat.find(call.integer("message_id") or 0)
    if message is None:
        raise bad_request(f"message to {verb} not found")
    if message.by_person:
        raise bad_request(f"message can't be {verb}ed")
    chat_for(network, call)
    return chat, message


def _chat(network: Network, call: Call) -> Chat:
    """Return the chat of a change, which counts as a message where the limits say so."""
    chat = find_chat(network, call)
    if call.bot.limits.changes_count:
        pace(network, call, chat, messages=1)
    return chat


def _changed(
    network: Network,
    call: Call,
    chat: Chat,
    message: Shown,
    content: dict[str, Any],
    fields: tuple[str, ...],
    made: dict[str, Any],
) -> bytes:
    """Put the new fields in the place of the old ones; the keyboard goes when none is given."""
    kept = {k: v for k, v in content.items() if k not in fields and k != "reply_markup"}
    changed = fragment(made | kept)
    if (made | kept) == content:
        raise bad_request(
            "message is not modified: specified new message content and reply markup are exactly "
            "the same as a current content and reply markup of the message"
        )
    message.content = changed
    message.edited_at = int(network.clock.now())
    network.show_change(str(call.bot.id), str(chat.id))
    return message_json(call.bot, chat, message)


async def delete_message(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `deleteMessage`: less than 48 hours after it was sent."""
    chat = _chat(network, call)
    message = chat.find(call.integer("message_id") or 0)
    if message is None:
        raise bad_request("message to delete not found")
    if not _deletable(network, message):
        raise bad_request("message can't be deleted for everyone")
    _remove(network, call, chat, message)
    return b"true"


async def delete_messages(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `deleteMessages`: what cannot be found or is too old is skipped."""
    chat = _chat(network, call)
    for message in map(chat.find, message_ids(call)):
        if message is not None and _deletable(network, message):
            _remove(network, call, chat, message)
    return b"true"


def _deletable(network: Network, message: Shown) -> bool:
    return network.clock.now() - message.date < DELETABLE_SECONDS


def _remove(network: Network, call: Call, chat: Chat, message: Shown) -> None:
    chat.shown.remove(message)
    network.show_change(str(call.bot.id), str(chat.id))


async def answer_callback_query(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `answerCallbackQuery`: the button stops turning, and a notice may appear."""
    if len(call.text("text")) > ANSWER_CHARACTERS:
        raise bad_request("MESSAGE_TOO_LONG")
    tap = call.bot.taps.pop(call.text("callback_query_id"), None)
    if tap is None or tap.expires_at < network.clock.now():
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    call.bot.notices[tap.chat.id] = call.text("text")
    network.show_change(str(call.bot.id), str(tap.chat.id))
    return b"true"


_ACTIONS = frozenset(
    (
        "typing",
        "choose_sticker",
        "find_location",
        "record_audio",
        "record_video",
        "record_video_note",
        "record_voice",
        "upload_audio",
        "upload_document",
        "upload_photo",
        "upload_video",
        "upload_video_note",
        "upload_voice",
    )
)


async def send_chat_action(network: Network, call: Call, digest: bytes) -> bytes:
    """Carry out `sendChatAction`: nothing stays of it on the phone."""
    chat_for(network, call)
    if call.text("action") not in _ACTIONS:
        raise bad_request("wrong parameter action in request")
    return b"true"
