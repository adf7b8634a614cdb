"""Pictures and videos on their way: by file id where Telegram has them, else with their bytes.

Telegram keeps what was sent once and gives it a file id that this bot may use for ever
(https://core.telegram.org/bots/api#sending-files), so only the first send uploads.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from channels.base.channel import MediaFile, MediaShelf
from channels.base.outcomes import TooLate
from shared import clock
from shared.contracts.stories import Part

_REFERENCE_KEYS = frozenset(["photo", "video", "animation", "media"])
"""Where in a call's parameters a reference may stand; elsewhere the same string is words."""
_REFERENCE_KEYS_JSON = tuple(b'"%b":' % key.encode() for key in sorted(_REFERENCE_KEYS))


@dataclass(slots=True)
class Load:
    """The media of one call: ids that Telegram knows, and bytes for the rest."""

    known: dict[UUID, str] = field(default_factory=dict)
    files: dict[UUID, MediaFile] = field(default_factory=dict)
    owed: set[UUID] = field(default_factory=set)
    """What the shelf lets us upload, and waits to hear about."""


async def pick_up(media: Iterable[UUID], shelf: MediaShelf, load: Load, until: float) -> None:
    """Fill `load` from the shelf; raise TooLate when that takes until `until` (`clock.ticks()`).

    In the order of the ids, so that two albums never wait for each other's uploads.
    """
    try:
        async with asyncio.timeout(max(until - clock.ticks(), 0)):
            for media_id in sorted(set(media)):
                reference = await shelf.reference(media_id)
                if reference is not None:
                    load.known[media_id] = reference
                    continue
                load.owed.add(media_id)
                load.files[media_id] = await shelf.file(media_id)
    except TimeoutError as error:
        raise TooLate("media_not_ready") from error


async def put_down(
    part: Part, load: Load, shelf: MediaShelf, messages: Iterable[Mapping[str, object]]
) -> None:
    """Keep the file ids that Telegram gave for what was uploaded with this part."""
    wanted = list(_references(part.params))
    given = list(_file_ids(messages))
    if len(wanted) != len(given):
        return  # A shape that we do not know: the next send uploads again.
    by_reference = dict(zip(wanted, given, strict=True))
    for media_id in sorted(load.owed):
        file_id = by_reference.get(f"media:{media_id}")
        if file_id is not None:
            await shelf.keep(media_id, file_id)
            load.owed.discard(media_id)


async def give_up(load: Load, shelf: MediaShelf) -> None:
    """Let somebody else upload what we did not."""
    while load.owed:
        await shelf.give_up(load.owed.pop())


def fill_json(written: bytes, known: Mapping[UUID, str]) -> bytes:
    """Return a call's JSON with file ids in place of `media:<id>`, without reading it again.

    No words can look like a key and its value here: their quotes are escaped in JSON.
    """
    for media_id, file_id in known.items():
        reference, found = f"media:{media_id}".encode(), orjson.dumps(file_id)
        for key in _REFERENCE_KEYS_JSON:
            written = written.replace(b'%b"%b"' % (key, reference), key + found)
    return written


def fill(params: Mapping[str, object], references: Mapping[str, object]) -> dict[str, object]:
    """Return a call's parameters with each `media:<id>` replaced by what stands for it."""
    return {key: _filled(key, value, references) for key, value in params.items()}


def _filled(key: str, value: object, references: Mapping[str, object]) -> object:
    match value:
        case str():
            return references.get(value, value) if key in _REFERENCE_KEYS else value
        case dict():
            return fill(value, references)
        case list() | tuple():
            return [_filled(key, each, references) for each in value]
        case _:
            return value


def _references(params: Mapping[str, object]) -> Iterator[str]:
    """Yield the references in a call's parameters, in their order."""
    for key, value in params.items():
        match value:
            case str():
                if key in _REFERENCE_KEYS:
                    yield value
            case dict():
                yield from _references(value)
            case list() | tuple():
                for each in value:
                    if isinstance(each, dict):
                        yield from _references(each)


def _file_ids(messages: Iterable[Mapping[str, object]]) -> Iterator[str | None]:
    """Yield the file id of each picture and video in Telegram's answer, in their order."""
    for message in messages:
        rich = message.get("rich_message")
        if isinstance(rich, dict):
            yield from (_file_id(block) for block in _media_blocks(rich.get("blocks")))
        else:
            yield _file_id(message)


def _media_blocks(blocks: object) -> Iterator[Mapping[str, object]]:
    for block in blocks if isinstance(blocks, list) else []:
        if not isinstance(block, dict):
            continue
        if block.get("type") in ("photo", "video"):
            yield block
        else:
            yield from _media_blocks(block.get("blocks"))


def _file_id(holder: Mapping[str, object]) -> str | None:
    """Return the id of the one file here; of a photo's several sizes, that of the largest."""
    for name in ("photo", "video", "animation", "document"):
        found = holder.get(name)
        sizes = found if isinstance(found, list) else [found]
        largest = max((s for s in sizes if isinstance(s, dict)), key=_pixels, default={})
        file_id = largest.get("file_id")
        if isinstance(file_id, str):
            return file_id
    return None


def _pixels(size: Mapping[str, object]) -> int:
    width, height = size.get("width"), size.get("height")
    return width * height if isinstance(width, int) and isinstance(height, int) else 0
