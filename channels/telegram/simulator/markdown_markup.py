"""Telegram's two Markdowns, with Telegram's own complaints."""

from typing import Any

from channels.telegram.simulator.errors import BotApiError, bad_request
from channels.telegram.simulator.utf16 import units

_RESERVED = frozenset("_*[]()~`>#+-=|{}.!")
_NAMES = {
    "bold": "Bold",
    "italic": "Italic",
    "underline": "Underline",
    "strikethrough": "Strikethrough",
    "spoiler": "Spoiler",
    "code": "Code",
    "pre": "PreCode",
    "text_link": "TextUrl",
    "custom_emoji": "CustomEmoji",
    "blockquote": "BlockQuote",
}
_MARKS = (
    ("```", "pre"),
    ("__", "underline"),
    ("||", "spoiler"),
    ("`", "code"),
    ("*", "bold"),
    ("_", "italic"),
    ("~", "strikethrough"),
)


class _Reader:
    """A text being read, what was written so far, and what is still open."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.pieces: list[str] = []
        self.length = 0
        self.open: list[tuple[str, int, int]] = []
        """Kind, offset in the result, index in the source."""
        self.entities: list[dict[str, Any]] = []

    def write(self, text: str) -> None:
        self.pieces.append(text)
        self.length += units(text)

    def begin(self, kind: str, width: int) -> None:
        self.open.append((kind, self.length, self.at))
        self.at += width

    def end(self, width: int, **more: str) -> None:
        kind, offset, _ = self.open.pop()
        self.at += width
        if self.length > offset:
            self.entities.append(
                {"offset": offset, "length": self.length - offset, "type": kind, **more}
            )

    @property
    def inside(self) -> str | None:
        return self.open[-1][0] if self.open else None

    def offset(self, index: int) -> int:
        return len(self.source[:index].encode())


def parse_markdown_v2(source: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the text without marks, and what the marks marked."""
    reader = _Reader(source)
    while reader.at < len(source):
        character = source[reader.at]
        if (
            character == "\\"
            and reader.at + 1 < len(source)
            and 0 < ord(source[reader.at + 1]) < 127
        ):
            reader.write(source[reader.at + 1])
            reader.at += 2
        elif reader.inside in ("code", "pre"):
            _verbatim(reader)
        elif character == "\n" and "blockquote" in (kind for kind, _, _ in reader.open):
            _line_end(reader)
        elif character in _RESERVED:
            _mark(reader, character)
        else:
            reader.write(character)
            reader.at += 1
    if reader.inside == "blockquote":
        reader.end(0)
    if reader.open:
        kind, _, index = reader.open[-1]
        at = reader.offset(index)
        raise _complaint(f"Can't find end of {_NAMES[kind]} entity at byte offset {at}")
    return "".join(reader.pieces), reader.entities


def _verbatim(reader: _Reader) -> None:
    mark = "```" if reader.inside == "pre" else "`"
    if reader.source.startswith(mark, reader.at):
        reader.end(len(mark))
    else:
        reader.write(reader.source[reader.at])
        reader.at += 1


def _line_end(reader: _Reader) -> None:
    """A quotation goes on only in lines that begin with its mark."""
    reader.write("\n")
    reader.at += 1
    if reader.source.startswith(">", reader.at):
        reader.at += 1
    elif reader.inside == "blockquote":
        reader.end(0)


def _mark(reader: _Reader, character: str) -> None:
    source, at = reader.source, reader.at
    if character == ">" and (at == 0 or source[at - 1] == "\n"):
        reader.begin("blockquote", 1)
        return
    if character == "[" or source.startswith("![", at):
        reader.begin(
            "text_link" if character == "[" else "custom_emoji", 2 if character == "!" else 1
        )
        return
    if character == "]" and reader.inside in ("text_link", "custom_emoji"):
        _close_link(reader)
        return
    for mark, kind in _MARKS:
        if source.startswith(mark, at):
            if reader.inside == kind:
                reader.end(len(mark))
            elif kind == "underline" and reader.inside == "italic":
                # `_a __b__ c_`: inside italic it is an underline, unless three marks end both.
                reader.begin(kind, len(mark)) if not source.startswith("___", at) else reader.end(1)
            else:
                reader.begin(kind, len(mark))
                _skip_language(reader, kind)
            return
    raise _complaint(
        f"Character '{character}' is reserved and must be escaped with the preceding '\\'"
    )


def _skip_language(reader: _Reader, kind: str) -> None:
    """Take the language after a fence off the text."""
    if kind != "pre":
        return
    line_end = reader.source.find("\n", reader.at)
    word = reader.source[reader.at : line_end] if line_end >= 0 else ""
    if line_end >= 0 and "`" not in word and not any(c.isspace() for c in word):
        reader.at = line_end + 1


def _close_link(reader: _Reader) -> None:
    source = reader.source
    if not source.startswith("](", reader.at):
        kind, _, index = reader.open[-1]
        if kind == "text_link":
            reader.open.pop()
            reader.at += 1
            return
        raise _complaint(
            "Custom emoji entity must contain a tg://emoji URL at byte offset "
            f"{reader.offset(index)}"
        )
    index = reader.at + 2
    url = []
    while index < len(source) and source[index] != ")":
        if source[index] == "\\" and index + 1 < len(source):
            index += 1
        url.append(source[index])
        index += 1
    if index >= len(source):
        raise _complaint(f"Can't find end of a URL at byte offset {reader.offset(reader.at + 2)}")
    width = index + 1 - reader.at
    if reader.inside == "custom_emoji":
        reader.end(width, custom_emoji_id="".join(url).removeprefix("tg://emoji?id="))
    else:
        reader.end(width, url="".join(url))


def parse_markdown(source: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the text of the old Markdown without marks: no nesting, no underline."""
    reader = _Reader(source)
    while reader.at < len(source):
        character = source[reader.at]
        if character == "\\" and source[reader.at + 1 : reader.at + 2] in ("_", "*", "`", "["):
            reader.write(source[reader.at + 1])
            reader.at += 2
        elif character in "_*`[":
            _old_mark(reader, character)
        else:
            reader.write(character)
            reader.at += 1
    return "".join(reader.pieces), reader.entities


def _old_mark(reader: _Reader, character: str) -> None:
    source = reader.source
    fence = source.startswith("```", reader.at)
    mark = "```" if fence else {"[": "]"}.get(character, character)
    start = reader.at + len(mark)
    end = source.find(mark, start)
    if end < 0:
        raise _complaint(
            f"Can't find end of the entity starting at byte offset {reader.offset(reader.at)}"
        )
    if character == "[" and not source.startswith("](", end):
        reader.write(source[reader.at : end + 1])
        reader.at = end + 1
        return
    kind = (
        "pre" if fence else {"_": "italic", "*": "bold", "`": "code", "[": "text_link"}[character]
    )
    reader.begin(kind, len(mark))
    reader.write(source[start:end])
    reader.at = end
    if character != "[":
        reader.end(len(mark))
        return
    close = source.find(")", end)
    if close < 0:
        raise _complaint(f"Can't find end of a URL at byte offset {reader.offset(end + 2)}")
    reader.end(close + 1 - end, url=source[end + 2 : close])


def _complaint(message: str) -> BotApiError:
    return bad_request(f"can't parse entities: {message}")
