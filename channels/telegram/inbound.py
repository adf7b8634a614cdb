"""What Telegram tells us, read from the raw update: who did what, in our own words.

Only the few fields that matter are read, and none is taken on trust: required fields of the Bot
API come and go with each release, and an update that a strict model refuses may be the one that
says "blocked". https://core.telegram.org/bots/api#update

    message, private, /start PAYLOAD     PersonStarted(payload)
    message, write_access_allowed        PersonStarted(no payload: no link of ours was followed)
    message with words or media          PersonWrote(kind), the caption being its words;
                                         forwarded words are of the kind "forwarded"
    message, migrate_to_chat_id          AddressMoved
    callback_query                       PersonTapped
    my_chat_member, private, kicked      PersonBlocked
    my_chat_member, private, member      PersonUnblocked
    everything else                      NotUnderstood(kind)

The address is the conversation: the person in a private chat, the group in a group.
"""

import hashlib
from datetime import datetime
from hmac import compare_digest
from typing import TypedDict

from channels.base.webhook import SignatureMismatch, Stamp, WebhookRequest
from channels.telegram.raw import (
    Object,
    read_address,
    read_body,
    read_id,
    read_integer,
    read_object,
    read_string,
    read_time,
)
from channels.telegram.words import kind_of, start_payload, words_of
from shared.contracts.inbound import (
    AddressMoved,
    InboundEvent,
    NotUnderstood,
    PersonBlocked,
    PersonStarted,
    PersonTapped,
    PersonUnblocked,
    PersonWrote,
)

SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 - the name of a header

_ENVELOPE = frozenset(["message_id", "from", "chat", "date", "message_thread_id", "sender_chat"])


def verify(request: WebhookRequest, secret: str) -> None:
    """Compare the secret that Telegram repeats in a header; without a secret nobody is believed."""
    told = request.headers.get(SECRET_HEADER, "")
    # As bytes: compare_digest refuses strings that are not ASCII, and a header may hold anything.
    if not secret or not compare_digest(_bytes(told), _bytes(secret)):
        raise SignatureMismatch("the secret token is missing or wrong")


def stamp(request: WebhookRequest) -> Stamp:
    """Name the update by its number, and the conversation by its address."""
    update = read_body(request.body) or {}
    number = read_integer(update.get("update_id"))
    if number is None:
        digest = hashlib.sha256(request.body).hexdigest()
        return Stamp(dedupe=digest, person=digest)
    _, content = _kind_and_content(update)
    return Stamp(dedupe=str(number), person=_conversation(content) or str(number))


def parse(request: WebhookRequest) -> list[InboundEvent]:
    """Turn an update into the one event it stands for."""
    update = read_body(request.body)
    if update is None:
        return [NotUnderstood(key="body", at=request.received_at, kind="malformed")]
    kind, content = _kind_and_content(update)
    readers = {"message": _message, "callback_query": _tap, "my_chat_member": _membership}
    read = readers.get(kind)
    event = read(content, request.received_at) if read else None
    return [event or NotUnderstood(key=kind, at=read_time(content, request.received_at), kind=kind)]


def _message(message: Object, received_at: datetime) -> InboundEvent | None:
    chat, sender = read_object(message.get("chat")), read_object(message.get("from"))
    address, number = read_address(chat), read_integer(message.get("message_id"))
    if address is None or number is None:
        return None
    at = read_time(message, received_at)
    private = chat.get("type") == "private"
    new_address = read_id(message.get("migrate_to_chat_id"))
    if new_address is not None:
        return AddressMoved(key="message", at=at, address=address, new_address=new_address)
    if private and sender.get("is_bot") is True:
        # Two bots that answer each other would never stop.
        return NotUnderstood(key="message", at=at, kind="message.from_bot")
    person = _person(address, sender)
    payload = start_payload(message) if private else None
    if payload is not None or (private and "write_access_allowed" in message):
        return PersonStarted(
            key="message", at=at, payload=payload or None, platform_id=str(number), **person
        )
    return _words_or_media(message, str(number), at, person)


def _words_or_media(
    message: Object, platform_id: str, at: datetime, person: "_Person"
) -> InboundEvent:
    kind = kind_of(message)
    if kind is None:
        named = next((name for name in message if name not in _ENVELOPE), "empty")
        kind = (read_string(f"message.{named}") or "message")[:100]
        return NotUnderstood(key="message", at=at, kind=kind)
    answered = read_integer(read_object(message.get("reply_to_message")).get("message_id"))
    return PersonWrote(
        key="message",
        at=at,
        kind=kind,
        text=words_of(message),
        platform_id=platform_id,
        reply_to=None if answered is None else str(answered),
        **person,
    )


def _tap(query: Object, received_at: datetime) -> InboundEvent | None:
    sender, message = read_object(query.get("from")), read_object(query.get("message"))
    # A button of an inline message has no chat: then there is only the person who tapped.
    address = read_address(read_object(message.get("chat"))) or read_address(sender)
    data, tap_id = read_string(query.get("data")), read_string(query.get("id"))
    if address is None or data is None:
        return None
    number = read_integer(message.get("message_id"))
    return PersonTapped(
        key="callback_query",
        at=received_at,  # The only date in here is that of the message with the button.
        data=data,
        platform_id=None if number is None else str(number),
        tap_id=tap_id,
        **_person(address, sender),
    )


def _membership(change: Object, received_at: datetime) -> InboundEvent | None:
    chat = read_object(change.get("chat"))
    address = read_address(chat)
    status = read_object(change.get("new_chat_member")).get("status")
    if address is None or chat.get("type") != "private" or not isinstance(status, str):
        return None
    person = _person(address, read_object(change.get("from")))
    at = read_time(change, received_at)
    match status:
        case "kicked":
            return PersonBlocked(key="my_chat_member", at=at, **person)
        case "member":
            return PersonUnblocked(key="my_chat_member", at=at, **person)
    return None


class _Person(TypedDict):
    address: str
    language: str | None
    name: str | None


def _person(address: str, sender: Object) -> _Person:
    """Return what is known about who acted."""
    names = (read_string(sender.get(part)) for part in ("first_name", "last_name"))
    language = read_string(sender.get("language_code"))
    return {
        "address": address,
        "language": language[:35] if language else None,
        "name": " ".join(name for name in names if name)[:200] or None,
    }


def _kind_and_content(update: Object) -> tuple[str, Object]:
    """Return the update's kind and what is under it: whatever stands beside its number."""
    for name, content in update.items():
        if name != "update_id" and isinstance(content, dict):
            return (read_string(name) or "unknown")[:100], content
    return "unknown", {}


def _conversation(content: Object) -> str | None:
    """Return whose order matters to this update: the chat, else the user, wherever they stand."""
    message = read_object(content.get("message"))
    places = (content.get("chat"), message.get("chat"), content.get("from"), content.get("user"))
    return next((found for place in places if (found := read_address(read_object(place)))), None)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
