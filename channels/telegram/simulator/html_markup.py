"""Telegram's HTML: a few tags, strictly nested, with Telegram's own complaints."""

import re
from html import unescape
from typing import Any

from channels.telegram.simulator.errors import BotApiError, bad_request
from channels.telegram.simulator.utf16 import units

_TYPES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "a": "text_link",
    "span": "spoiler",
    "tg-emoji": "custom_emoji",
}
_TAG = re.compile(r"<(/?)([a-zA-Z0-9-]*)((?:[^>\"']|\"[^\"]*\"|'[^']*')*)(>?)")
_ATTRIBUTE = re.compile(r"([a-zA-Z-]+)\s*(?:=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+)))?")
_KNOWN = re.compile(r"&(?:lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);")


def parse_html(source: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the text without tags, and what the tags marked."""
    pieces: list[str] = []
    length = 0
    open_tags: list[tuple[str, int, dict[str, str], int]] = []
    entities: list[dict[str, Any]] = []
    position = 0
    while (start := source.find("<", position)) >= 0:
        piece = _plain(source[position:start])
        pieces.append(piece)
        length += units(piece)
        match = _TAG.match(source, start)
        assert match is not None, "the pattern matches every '<'"
        at = _bytes(source, start)
        closing, name, attributes, end = match.groups()
        name = name.lower()
        if not end:
            raise _complaint(f"Unclosed start tag at byte offset {at}")
        if closing:
            entity = _close(name, open_tags, length, at)
            if entity is not None:
                entities.append(entity)
        else:
            open_tags.append((name, length, _open(name, attributes, at), at))
        position = match.end()
    if open_tags:
        name, _, _, at = open_tags[-1]
        raise _complaint(f'Can\'t find end tag corresponding to start tag "{name}"')
    pieces.append(_plain(source[position:]))
    return "".join(pieces), _merged(entities)


def _open(name: str, attributes: str, at: int) -> dict[str, str]:
    if name not in _TYPES:
        raise _complaint(f'Unsupported start tag "{name}" at byte offset {at}')
    found = {
        key.lower(): unescape(quoted or single or bare or "")
        for key, quoted, single, bare in _ATTRIBUTE.findall(attributes)
    }
    if name == "span" and found.get("class") != "tg-spoiler":
        raise _complaint(f'Tag "span" must have class "tg-spoiler" at byte offset {at}')
    return found


def _close(
    name: str, open_tags: list[tuple[str, int, dict[str, str], int]], length: int, at: int
) -> dict[str, Any] | None:
    if not open_tags:
        raise _complaint(f"Unexpected end tag at byte offset {at}")
    opened, offset, attributes, _ = open_tags.pop()
    if name and name != opened:
        raise _complaint(
            f'Unmatched end tag at byte offset {at}, expected "</{opened}>", found "</{name}>"'
        )
    if length <= offset:
        return None
    entity: dict[str, Any] = {"offset": offset, "length": length - offset, "type": _TYPES[opened]}
    if opened == "a":
        if "href" not in attributes:
            return None
        entity["url"] = attributes["href"]
    elif opened == "tg-emoji":
        entity["custom_emoji_id"] = attributes.get("emoji-id", "")
    elif opened == "blockquote" and "expandable" in attributes:
        entity["type"] = "expandable_blockquote"
    elif opened == "code" and attributes.get("class", "").startswith("language-"):
        entity["language"] = attributes["class"].removeprefix("language-")
    return entity


def _merged(entities: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make one of `<pre><code class="language-…">`, and drop a language that stands alone."""
    code = {(e["offset"], e["length"]): e for e in entities if e["type"] == "code"}
    merged = []
    for entity in entities:
        span = (entity["offset"], entity["length"])
        if entity["type"] == "pre" and span in code:
            language = code[span].get("language")
            merged.append(entity | ({"language": language} if language else {}))
        elif entity["type"] == "code":
            inside = any(
                e["type"] == "pre" and (e["offset"], e["length"]) == span for e in entities
            )
            if not inside:
                merged.append({k: v for k, v in entity.items() if k != "language"})
        else:
            merged.append(entity)
    return merged


def _plain(text: str) -> str:
    if "&" not in text:
        return text
    return _KNOWN.sub(lambda match: unescape(match.group()), text)


def _bytes(source: str, index: int) -> int:
    return len(source[:index].encode())


def _complaint(message: str) -> BotApiError:
    return bad_request(f"can't parse entities: {message}")
