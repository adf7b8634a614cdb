"""What a phone shows: the messages as a person sees them, not as the Bot API tells them."""

from typing import Any

from channels.telegram.simulator.rich import plain_text
from channels.telegram.simulator.state import Bot, Chat, Shown

_KINDS = ("photo", "animation", "video", "document", "audio", "voice")


def messages_of(bot: Bot, chat: Chat) -> list[dict[str, Any]]:
    """Return one chat as its person sees it, oldest first."""
    return [_seen(bot, chat, message) for message in chat.shown]


def _seen(bot: Bot, chat: Chat, message: Shown) -> dict[str, Any]:
    content = message.parsed()
    seen: dict[str, Any] = {
        "id": str(message.id),
        "account": str(bot.id),
        "by": "person" if message.by_person else "brand",
        "at": message.at_ms / 1000,
        "kind": _kind(content),
        "text": content.get("text") or content.get("caption") or "",
        "entities": content.get("entities") or content.get("caption_entities") or [],
        "media": _media(bot, content),
        "buttons": _buttons(content),
        "album": message.album,
        "edited": message.edited_at is not None,
        "protected": bool(content.get("has_protected_content")),
    }
    if "reply_to_message" in content:
        seen["reply_to"] = str(content["reply_to_message"]["message_id"])
    if "rich_message" in content:
        seen["blocks"] = [_block(bot, block) for block in content["rich_message"]["blocks"]]
        seen["text"] = "\n".join(filter(None, map(_block_text, content["rich_message"]["blocks"])))
    return seen


def _kind(content: dict[str, Any]) -> str:
    if "rich_message" in content:
        return "rich"
    return next((kind for kind in _KINDS if kind in content), "text")


def _media(bot: Bot, content: dict[str, Any]) -> list[dict[str, Any]]:
    for kind in _KINDS:
        if kind in content:
            return [_file(bot, kind, content[kind], spoiler=bool(content.get("has_media_spoiler")))]
    return []


def _file(bot: Bot, kind: str, facts: Any, *, spoiler: bool = False) -> dict[str, Any]:
    largest = facts[-1] if kind == "photo" else facts
    stored = bot.files[largest["file_id"]]
    return {
        "kind": kind,
        "url": f"/media/{stored.blob}",
        "sha256": stored.blob,
        "mime": stored.mime,
        "name": stored.name,
        "width": stored.width,
        "height": stored.height,
        "seconds": stored.seconds,
        "bytes": stored.size,
        "spoiler": spoiler,
    }


def _buttons(content: dict[str, Any]) -> list[list[dict[str, Any]]]:
    rows = content.get("reply_markup", {}).get("inline_keyboard", [])
    return [[_button(button) for button in row] for row in rows]


def _button(button: dict[str, Any]) -> dict[str, Any]:
    seen = {"text": plain_text(button["text"])}
    for field, name in (("url", "url"), ("callback_data", "data")):
        if button.get(field):
            seen[name] = button[field]
    return seen


def _block(bot: Bot, block: dict[str, Any]) -> dict[str, Any]:
    kind = block["type"]
    seen: dict[str, Any] = {"type": kind}
    if "blocks" in block:
        seen["blocks"] = [_block(bot, inner) for inner in block["blocks"]]
    if kind in ("photo", "video", "animation", "document", "audio"):
        seen["media"] = _file(bot, kind, block[kind], spoiler=bool(block.get("has_spoiler")))
    if kind == "buttons":
        seen["buttons"] = [_button(button) for button in block["buttons"]]
    if kind == "list":
        seen["items"] = [
            {"label": item.get("label", "•"), "blocks": [_block(bot, b) for b in item["blocks"]]}
            for item in block["items"]
        ]
    if "text" in block:
        seen["text"] = plain_text(block["text"])
        seen["size"] = block.get("size")
    if "caption" in block:
        seen["caption"] = plain_text(block["caption"])
    return seen


def _block_text(block: dict[str, Any]) -> str:
    own = plain_text(block.get("text", "")) or plain_text(block.get("caption", ""))
    inner = [_block_text(part) for part in block.get("blocks", ())]
    return "\n".join(filter(None, [own, *inner]))
