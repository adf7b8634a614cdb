"""What a person's message says, and of what kind it is."""

import re

from channels.telegram.raw import Object, read_object, read_string

# What a person may send, in the order in which to look: an animation is a document too.
_CONTENTS = (
    "text",
    "photo",
    "live_photo",
    "video",
    "animation",
    "voice",
    "video_note",
    "audio",
    "sticker",
    "document",
    "paid_media",
    "story",
    "contact",
    "dice",
    "game",
    "poll",
    "venue",
    "location",
    "checklist",
    "rich_message",
)
# Whoever forwards words does not say them.
_FORWARDED = frozenset(["forward_origin", "forward_date", "forward_from", "forward_from_chat"])
# In a group, a command is addressed to one of several bots: "/stop@aurora_bot" means "/stop".
_ADDRESSED = re.compile(r"\A(/\w{1,32})@\w{1,32}\b", re.ASCII)
_START = re.compile(r"\A/start(?: +(.*))?\Z", re.DOTALL)


def kind_of(message: Object) -> str | None:
    """Return the kind of a message: "text", "photo" …; none for a service message."""
    kind = next((name for name in _CONTENTS if name in message), None)
    return "forwarded" if kind == "text" and is_forwarded(message) else kind


def is_forwarded(message: Object) -> bool:
    """Tell whether somebody else's words were passed on."""
    return not _FORWARDED.isdisjoint(message)


def start_payload(message: Object) -> str | None:
    """Return what follows /start, "" when nothing does, none when it is no /start of theirs."""
    words = None if is_forwarded(message) else words_of(message)
    start = _START.match(words) if words else None
    return (start[1] or "").strip() if start else None


def words_of(message: Object) -> str | None:
    """Return the text, else the caption, else the words of a rich message."""
    if "rich_message" in message:
        return _rich_words(read_object(message["rich_message"]).get("blocks"))
    words = read_string(message.get("text" if "text" in message else "caption"))
    return None if words is None else _ADDRESSED.sub(r"\1", words)


def _rich_words(blocks: object) -> str | None:
    """Return the words of a rich message: a line for each block, whose own text is in pieces.

    Without recursion, as a message may nest deeper than Python likes.
    """
    words: list[str] = []
    waiting: list[tuple[object, bool]] = [(blocks, False)]
    while waiting:
        content, inline = waiting.pop()
        match content:
            case str():
                words.append(content)
            case list():
                waiting.extend((piece, inline) for piece in reversed(content))
            case dict():
                words.append("" if inline else "\n")
                within = ("caption", "items", "blocks")
                waiting.extend((content[name], False) for name in within if name in content)
                waiting.append((content.get("text"), True))
    lines = (read_string("".join(words)) or "").split("\n")
    return "\n".join(line for line in lines if line.strip()) or None
