"""What a message says: from a call's parameters to the Message's own fields, all limits checked."""

from collections.abc import Awaitable, Callable
from typing import Any

from channels.telegram.simulator.call import Call
from channels.telegram.simulator.entities import Formatted, formatted
from channels.telegram.simulator.errors import BotApiError, bad_request
from channels.telegram.simulator.fetch import fetch
from channels.telegram.simulator.files import Blobs, described, known, store
from channels.telegram.simulator.keyboards import inline_keyboard
from channels.telegram.simulator.rich import rich_message
from channels.telegram.simulator.utf16 import units

Content = dict[str, Any]
Maker = Callable[[Call, Blobs], Awaitable[list[Content]]]

TEXT_UNITS = 4096
CAPTION_UNITS = 1024
ALBUM = range(2, 11)
KINDS = ("photo", "video", "animation", "document", "audio", "voice")
_ALBUM_KINDS = ("photo", "video", "document", "audio")


async def text_content(call: Call, blobs: Blobs) -> list[Content]:
    """Make the content of `sendMessage`."""
    said = text_of(call)
    content: Content = {"text": said.text}
    if said.entities:
        content["entities"] = list(said.entities)
    preview = call.structure("link_preview_options")
    if isinstance(preview, dict):
        content["link_preview_options"] = preview
    return [content | _common(call)]


def text_of(call: Call) -> Formatted:
    """Return the text of a call, of 1–4096 units."""
    said = formatted(call.text("text"), call.text("parse_mode"), call.structure("entities"))
    if not said.text:
        raise bad_request("message text is empty")
    if units(said.text) > TEXT_UNITS:
        raise bad_request("message is too long")
    return said


def caption_of(text: str, parse_mode: str, entities: object, *, above: bool) -> Content:
    """Return a caption's fields, of at most 1024 units; none when there is no caption."""
    if not text:
        return {}
    said = formatted(text, parse_mode, entities)
    if units(said.text) > CAPTION_UNITS:
        raise bad_request("message caption is too long")
    if not said.text:
        return {}
    content: Content = {"caption": said.text}
    if said.entities:
        content["caption_entities"] = list(said.entities)
    if above:
        content["show_caption_above_media"] = True
    return content


def _media_content(kind: str) -> Maker:
    async def make(call: Call, blobs: Blobs) -> list[Content]:
        file_id = await media(call, blobs, call.params.get(kind), kind, call.params, field=kind)
        content = described(call.bot, file_id) | caption_of(
            call.text("caption"),
            call.text("parse_mode"),
            call.structure("caption_entities"),
            above=call.flag("show_caption_above_media"),
        )
        if call.flag("has_spoiler") and kind in ("photo", "video", "animation"):
            content["has_media_spoiler"] = True
        return [content | _common(call)]

    return make


async def album_content(call: Call, blobs: Blobs) -> list[Content]:
    """Make the contents of `sendMediaGroup`; a keyboard that is given is ignored."""
    items = call.structure("media")
    if not isinstance(items, list):
        raise bad_request("expected an Array of InputMedia")
    if len(items) not in ALBUM:
        raise bad_request("group of media must include 2-10 items")
    kinds = [item.get("type") if isinstance(item, dict) else None for item in items]
    if any(kind not in _ALBUM_KINDS for kind in kinds):
        raise bad_request("can't use the media of the specified type in the album")
    for alone in ("document", "audio"):
        if alone in kinds and set(kinds) != {alone}:
            raise bad_request(f"{alone.capitalize()} can't be mixed with other media types")
    return [await input_media(call, blobs, item) | _protection(call) for item in items]


async def input_media(call: Call, blobs: Blobs, item: object) -> Content:
    """Make the content of one InputMedia object."""
    if not isinstance(item, dict) or item.get("type") not in KINDS:
        raise bad_request("can't parse InputMedia: type must be specified")
    kind = str(item["type"])
    try:
        file_id = await media(call, blobs, item.get("media"), kind, item)
    except BotApiError as error:
        if "can't use file of type" in error.description:
            raise bad_request("can't use the media of the specified type in the album") from error
        raise
    content = described(call.bot, file_id) | caption_of(
        str(item.get("caption") or ""),
        str(item.get("parse_mode") or ""),
        item.get("caption_entities"),
        above=bool(item.get("show_caption_above_media")),
    )
    if item.get("has_spoiler"):
        content["has_media_spoiler"] = True
    return content


async def media(
    call: Call, blobs: Blobs, value: object, kind: str, given: dict[str, Any], *, field: str = ""
) -> str:
    """Return the id of the file that a parameter names: attached, by URL, or by its id."""
    upload = call.files.get(field) if field else None
    if isinstance(value, str) and value.startswith("attach://"):
        upload = call.files.get(value.removeprefix("attach://"))
        if upload is None:
            raise bad_request("can't parse media: attached file not found")
    if upload is None and isinstance(value, str) and value.startswith(("http://", "https://")):
        upload = await fetch(value, kind)
    if upload is not None:
        return await store(call.bot, blobs, upload, kind, given)
    if not isinstance(value, str) or not value:
        raise bad_request(f"there is no {kind} in the request")
    return known(call.bot, value, kind)


async def rich_content(call: Call, blobs: Blobs) -> list[Content]:
    """Make the content of `sendRichMessage`."""

    async def stored(value: object, kind: str, given: dict[str, Any]) -> Content:
        return described(call.bot, await media(call, blobs, value, kind, given))

    return [
        {"rich_message": await rich_message(call.structure("rich_message"), stored)} | _common(call)
    ]


def keyboard_of(call: Call) -> Content:
    """Return the inline keyboard's field, if the call has one."""
    rows = inline_keyboard(call.structure("reply_markup"))
    return {"reply_markup": {"inline_keyboard": rows}} if rows else {}


def _common(call: Call) -> Content:
    return keyboard_of(call) | _protection(call)


def _protection(call: Call) -> Content:
    content: Content = {}
    if call.flag("protect_content"):
        content["has_protected_content"] = True
    if effect := call.text("message_effect_id"):
        content["effect_id"] = effect
    return content


MAKERS: dict[str, Maker] = {
    "sendMessage": text_content,
    "sendMediaGroup": album_content,
    "sendRichMessage": rich_content,
} | {f"send{kind.capitalize()}": _media_content(kind) for kind in KINDS}
