"""Formatted text: the length limits, the entities given, and those Telegram finds by itself."""

import re
from dataclasses import dataclass
from typing import Any

from channels.telegram.simulator.errors import bad_request
from channels.telegram.simulator.html_markup import parse_html
from channels.telegram.simulator.markdown_markup import parse_markdown, parse_markdown_v2
from channels.telegram.simulator.utf16 import units

Entity = dict[str, Any]

MOST_ENTITIES = 100
_PARSERS = {"html": parse_html, "markdown": parse_markdown, "markdownv2": parse_markdown_v2}
_OPAQUE = {"code", "pre", "text_link", "text_mention", "url", "mention"}
_DOMAINS = "com|org|net|it|eu|io|dev|app|me|de|fr|es|pt|uk|ru|info|shop|store|example"
_FOUND = re.compile(
    rf"""
    (?P<url>(?:https?|tg)://[^\s<>"'«»]+[^\s<>"'«».,;:!?)\]]
        |(?<![\w@./-])(?:[\w-]+\.)+(?:{_DOMAINS})\b(?:/[^\s<>"']*[^\s<>"'.,;:!?)\]])?)
    |(?P<email>(?<![\w.+-])[\w.+-]+@(?:[\w-]+\.)+[a-zA-Z]{{2,}}\b)
    |(?P<mention>(?<![\w@/])@[A-Za-z]\w{{3,31}}\b)
    |(?P<hashtag>(?<![\w#])\#\w*[^\W\d]\w*)
    |(?P<cashtag>(?<![\w$])\$[A-Z]{{1,8}}\b)
    |(?P<bot_command>(?<![\w/<])/[A-Za-z0-9_]{{1,64}}(?:@\w{{3,32}})?(?![\w/]))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MAY_HOLD = re.compile(r"[@#$/.]")


@dataclass(frozen=True, slots=True)
class Formatted:
    """A text without markup and what is marked in it."""

    text: str
    entities: tuple[Entity, ...]


def formatted(text: str, parse_mode: str, entities: object) -> Formatted:
    """Take a text as a caller gave it: parse its markup, find links, trim it."""
    given: list[Entity]
    if parse_mode:
        parser = _PARSERS.get(parse_mode.lower())
        if parser is None:
            raise bad_request("unsupported parse_mode")
        text, given = parser(text)
    else:
        given = _given(entities)
    text, given = _trimmed(text, given)
    given.extend(found(text, given))
    given.sort(key=lambda entity: (entity["offset"], -entity["length"]))
    return Formatted(text, tuple(given[:MOST_ENTITIES]))


def found(text: str, given: list[Entity]) -> list[Entity]:
    """Return the links, mentions, tags and commands that stand in the text unmarked."""
    if not _MAY_HOLD.search(text):
        return []
    taken = [(e["offset"], e["offset"] + e["length"]) for e in given if e["type"] in _OPAQUE]
    entities: list[Entity] = []
    for match in _FOUND.finditer(text):
        offset = units(text[: match.start()])
        length = units(match.group())
        if any(start < offset + length and offset < end for start, end in taken):
            continue
        entities.append({"offset": offset, "length": length, "type": match.lastgroup})
    return entities


def _given(entities: object) -> list[Entity]:
    if entities is None:
        return []
    if not isinstance(entities, list):
        raise bad_request("can't parse entities: expected an Array of MessageEntity")
    kept: list[Entity] = []
    for entity in entities:
        if not isinstance(entity, dict) or not isinstance(entity.get("type"), str):
            raise bad_request("can't parse entities: expected an Object")
        offset, length = entity.get("offset"), entity.get("length")
        if not isinstance(offset, int) or not isinstance(length, int):
            raise bad_request("can't parse MessageEntity: field must be of type Number")
        if length > 0:
            kept.append({key: value for key, value in entity.items() if value is not None})
    return kept


def _trimmed(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Take the white space off both ends, as Telegram does, and move the entities along."""
    stripped = text.strip()
    if len(stripped) == len(text):
        end = units(text) if entities else 0
        shift = 0
    else:
        shift = units(text[: len(text) - len(text.lstrip())])
        end = units(stripped)
    moved = []
    for entity in entities:
        start = max(0, entity["offset"] - shift)
        length = min(end, entity["offset"] - shift + entity["length"]) - start
        if length > 0:
            moved.append({**entity, "offset": start, "length": length})
    return stripped, moved
