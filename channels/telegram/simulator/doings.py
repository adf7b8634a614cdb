"""What people do with their phones: write, send a picture, tap a button, block, come back."""

import secrets
from typing import Any

import orjson

from channels.base.simulator.platform import ControlProblem
from channels.base.simulator.requests import Upload
from channels.telegram.simulator.entities import found
from channels.telegram.simulator.files import described, store
from channels.telegram.simulator.network import Network
from channels.telegram.simulator.rich import plain_text
from channels.telegram.simulator.state import (
    Bot,
    Chat,
    Person,
    Shown,
    Tap,
    Update,
    fragment,
    message_json,
)

DAY = 24 * 3600.0
TAP_SECONDS = 150.0
"""How long a tap may be answered, and its update delivered."""
_MUST_BE_ASKED_FOR = ("chat_member", "message_reaction", "message_reaction_count")


def publish(
    network: Network,
    bot: Bot,
    kind: str,
    queue: object,
    value: dict[str, Any] | bytes,
    keep: float,
) -> int | None:
    """Queue an update for the bot; return its id, or none when the bot does not want this kind."""
    wanted = bot.allowed_updates
    if (kind not in wanted) if wanted else (kind in _MUST_BE_ASKED_FOR):
        return None
    update_id = bot.next_update_id()
    inner = value if isinstance(value, bytes) else orjson.dumps(value)
    body = b'{"update_id":%d,"%b":%b}' % (update_id, kind.encode(), inner)
    update = Update(update_id, kind, f"{kind}:{queue}", body, network.clock.now() + keep)
    bot.updates[update_id] = update
    network.webhooks.add(bot, update)
    network.polling.wake(bot)
    return update_id


def say(network: Network, bot: Bot, chat: Chat, text: str) -> int | None:
    """Write to the bot; the first word opens the chat."""
    content: dict[str, Any] = {"text": text}
    if entities := found(text, []):
        content["entities"] = entities
    return _wrote(network, bot, chat, content)


async def send_photo(
    network: Network, bot: Bot, chat: Chat, photo: Upload, caption: str
) -> int | None:
    """Send the bot a picture."""
    content = described(bot, await store(bot, network.blobs, photo, "photo", {}))
    if caption:
        content["caption"] = caption
    return _wrote(network, bot, chat, content)


def _wrote(network: Network, bot: Bot, chat: Chat, content: dict[str, Any]) -> int | None:
    if chat.blocked:
        raise ControlProblem(409, "blocked", "This person blocked the account: unblock it first.")
    chat.opened = True
    now = network.clock.now()
    message = Shown(
        bot.next_message_id(), int(now), fragment(content), by_person=True, at_ms=int(now * 1000)
    )
    chat.add(message)
    network.show_change(str(bot.id), str(chat.id))
    return publish(network, bot, "message", chat.id, message_json(bot, chat, message), DAY)


def tap(
    network: Network, bot: Bot, chat: Chat, button: str, message_id: int | None
) -> dict[str, Any]:
    """Tap a button, the newest of that name; a link opens, others tell the bot."""
    message, found_button = _find_button(chat, button, message_id)
    if found_button.get("url"):
        return {"opened": found_button["url"]}
    data = found_button.get("callback_data")
    if data is None:
        raise ControlProblem(409, "not_tappable", "This kind of button cannot be tapped here.")
    person = chat.person
    if person is None:
        raise ControlProblem(409, "no_person", "Only people tap buttons.")
    tap_id = str(secrets.randbits(62))
    network.forget_old_taps(bot)
    bot.taps[tap_id] = Tap(chat, message.id, network.clock.now() + TAP_SECONDS)
    update_id = publish(
        network,
        bot,
        "callback_query",
        person.id,
        {
            "id": tap_id,
            "from": person.as_user(),
            "message": orjson.loads(message_json(bot, chat, message)),
            "chat_instance": str(-(chat.id * 2654435761 % 2**62)),
            "data": data,
        },
        TAP_SECONDS,
    )
    return {"update_id": update_id, "data": data}


def _find_button(chat: Chat, wanted: str, message_id: int | None) -> tuple[Shown, dict[str, Any]]:
    for message in reversed(chat.shown):
        if message_id is not None and message.id != message_id:
            continue
        for button in _buttons(message.parsed()):
            if wanted in (
                button.get("callback_data"),
                plain_text(button["text"]),
                button.get("url"),
            ):
                return message, button
    raise ControlProblem(404, "no_such_button", "No message on this phone has such a button.")


def _buttons(content: dict[str, Any]) -> list[dict[str, Any]]:
    rows = content.get("reply_markup", {}).get("inline_keyboard", [])
    buttons = [button for row in rows for button in row]
    blocks = list(content.get("rich_message", {}).get("blocks", []))
    while blocks:
        block = blocks.pop()
        buttons.extend(block.get("buttons", []))
        blocks.extend(block.get("blocks", []))
    return buttons


def block(network: Network, bot: Bot, chat: Chat, *, blocked: bool) -> int | None:
    """Block the bot or let it back; the bot is told once for each change."""
    person = chat.person
    if person is None:
        raise ControlProblem(409, "no_person", "Only people block accounts.")
    if chat.blocked == blocked:
        return None
    chat.blocked = blocked
    network.show_change(str(bot.id), str(chat.id))
    user = bot.as_user()
    member = {"user": user, "status": "member"}
    kicked = {"user": user, "status": "kicked", "until_date": 0}
    return publish(
        network,
        bot,
        "my_chat_member",
        chat.id,
        {
            "chat": chat.as_chat(),
            "from": person.as_user(),
            "date": int(network.clock.now()),
            "old_chat_member": member if blocked else kicked,
            "new_chat_member": kicked if blocked else member,
        },
        DAY,
    )


def open_chat(bot: Bot, person: Person) -> Chat:
    """Return the bot's chat with a person, made when there is none."""
    chat = bot.chats.get(person.id)
    if chat is None:
        chat = bot.chats[person.id] = Chat(person.id, person=person)
    return chat
