"""Rich messages: a page of blocks, with slideshows (Bot API 10.1 and later).

The limits are those a third-party client documents (32,768 characters, 500 blocks, 16 levels, 50
media); Telegram prints none, and the texts of these refusals are ours.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from channels.telegram.simulator.errors import bad_request
from channels.telegram.simulator.keyboards import inline_keyboard
from channels.telegram.simulator.rich_markup import blocks_of_html, blocks_of_markdown
from channels.telegram.simulator.utf16 import units

Stored = Callable[[object, str, dict[str, Any]], Awaitable[dict[str, Any]]]

MOST_UNITS = 32_768
MOST_BLOCKS = 500
MOST_LEVELS = 16
MOST_MEDIA = 50
MOST_COLUMNS = 20
BUTTONS = range(1, 9)
_MEDIA = {"photo": "photo", "video": "video", "animation": "animation", "audio": "audio",
          "document": "document", "voice_note": "voice"}  # fmt: skip
_TEXTS = {"paragraph", "heading", "pre", "footer", "pullquote"}
_HOLDERS = {"slideshow", "collage", "blockquote", "expandable_blockquote", "details"}
_OTHERS = {
    "divider",
    "anchor",
    "mathematical_expression",
    "map",
    "table",
    "list",
    "buttons",
    "thinking",
}


@dataclass(slots=True)
class _Count:
    blocks: int = 0
    media: int = 0
    units: int = 0

    def check(self) -> None:
        if self.blocks > MOST_BLOCKS:
            raise bad_request("rich message has too many blocks")
        if self.media > MOST_MEDIA:
            raise bad_request("rich message has too many media")
        if self.units > MOST_UNITS:
            raise bad_request("rich message is too long")


async def rich_message(value: object, stored: Stored) -> dict[str, Any]:
    """Return the RichMessage of an InputRichMessage, its media stored by `stored`."""
    if not isinstance(value, dict):
        raise bad_request("can't parse rich message: object expected")
    ways = [way for way in ("html", "markdown", "blocks") if value.get(way)]
    if len(ways) != 1:
        raise bad_request("exactly one of html, markdown and blocks must be specified")
    named = {
        str(m.get("id")): m.get("media") for m in value.get("media") or () if isinstance(m, dict)
    }
    if ways == ["html"]:
        blocks: object = blocks_of_html(str(value["html"]), named)
    elif ways == ["markdown"]:
        blocks = blocks_of_markdown(str(value["markdown"]), named)
    else:
        blocks = value["blocks"]
    made = await _blocks(blocks, stored, _Count(), level=1)
    return {"blocks": made} | ({"is_rtl": True} if value.get("is_rtl") else {})


async def _blocks(
    blocks: object, stored: Stored, count: _Count, *, level: int
) -> list[dict[str, Any]]:
    if not isinstance(blocks, list) or not blocks:
        raise bad_request("can't parse rich message: non-empty Array of blocks expected")
    if level > MOST_LEVELS:
        raise bad_request("rich message is nested too deeply")
    made = []
    for block in blocks:
        count.blocks += 1
        made.append(await _block(block, stored, count, level=level))
        count.check()
    return made


async def _block(block: object, stored: Stored, count: _Count, *, level: int) -> dict[str, Any]:
    if not isinstance(block, dict):
        raise bad_request("can't parse rich message: block must be an Object")
    kind = block.get("type")
    kept = {key: value for key, value in block.items() if value is not None}
    count.units += _text_units(kept.get("text")) + _text_units(kept.get("caption"))
    if kind in _MEDIA:
        return await _media(kept, str(kind), stored, count)
    if kind in _HOLDERS:
        kept["blocks"] = await _blocks(block.get("blocks"), stored, count, level=level + 1)
        if kind in ("slideshow", "collage") and any(
            inner["type"] not in ("photo", "video", "animation") for inner in kept["blocks"]
        ):
            raise bad_request(f"{kind} can contain only photos, videos and animations")
    elif kind == "list":
        kept["items"] = [
            item | {"blocks": await _blocks(item.get("blocks"), stored, count, level=level + 1),
                    "label": item.get("label") or "•"}
            for item in block.get("items") or ()
        ]  # fmt: skip
    elif kind == "buttons":
        _check_buttons(kept.get("buttons"))
    elif kind not in _TEXTS and kind not in _OTHERS:
        raise bad_request("can't parse rich message: unsupported type of a block")
    return kept


async def _media(block: dict[str, Any], kind: str, stored: Stored, count: _Count) -> dict[str, Any]:
    count.media += 1
    given = block.get(kind)
    if not isinstance(given, dict):
        raise bad_request(f"can't parse rich message: {kind} must be an Object")
    facts = await stored(given.get("media"), _MEDIA[kind], given)
    made: dict[str, Any] = {"type": kind, kind: facts[_MEDIA[kind]]}
    if given.get("has_spoiler"):
        made["has_spoiler"] = True
    if block.get("caption"):
        made["caption"] = block["caption"]
    return made


def _check_buttons(buttons: object) -> None:
    if not isinstance(buttons, list) or len(buttons) not in BUTTONS:
        raise bad_request("a row of buttons must include 1-8 buttons")
    plain = [{**b, "text": plain_text(b.get("text"))} for b in buttons if isinstance(b, dict)]
    inline_keyboard({"inline_keyboard": [plain]})


def plain_text(text: object) -> str:
    """Return a RichText's letters."""
    if isinstance(text, str):
        return text
    if isinstance(text, list):
        return "".join(map(plain_text, text))
    if isinstance(text, dict):
        return plain_text(text.get("text", ""))
    return ""


def _text_units(text: object) -> int:
    return units(plain_text(text))
