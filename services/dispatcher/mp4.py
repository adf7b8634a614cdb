"""Read an MP4's size, length and codecs from its boxes, without decoding a frame. Pure.

The boxes are those of ISO/IEC 14496-12: `ftyp`, then somewhere `moov` with `mvhd` (length) and one
`trak` per track with `tkhd` (size and rotation), `mdia/hdlr` (what kind of track) and
`mdia/minf/stbl/stsd` (its codec).
"""

from collections.abc import Iterator
from dataclasses import dataclass

_MOST_BOXES = 10_000
_CODECS = {
    b"avc1": "h264",
    b"avc3": "h264",
    b"hvc1": "hevc",
    b"hev1": "hevc",
    b"av01": "av1",
    b"vp08": "vp8",
    b"vp09": "vp9",
    b"mp4v": "mpeg4",
    b"mp4a": "aac",
    b".mp3": "mp3",
    b"Opus": "opus",
    b"ac-3": "ac3",
    b"ec-3": "eac3",
}
"""Sample entries, by the names that ffprobe has for them."""


class NotMp4(ValueError):
    """These bytes are not an MP4 with a picture; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a player would show: pixels after rotation, and seconds."""

    width: int
    height: int
    seconds: float
    codec: str | None = None
    sound: str | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """One box: four letters, and what is in it."""

    kind: bytes
    body: memoryview
    begin: int
    """Where it begins in what was walked, and where its body does."""
    body_at: int


def looks_like_mp4(data: bytes) -> bool:
    """Say whether the bytes begin as an MP4 does, whatever follows."""
    return data[4:8] == b"ftyp" and data[8:12] not in (b"heic", b"heix", b"mif1", b"avif", b"M4A ")


def read_mp4(data: bytes) -> VideoFacts:
    """Return the facts of a whole file; raise `NotMp4`."""
    boxes = {box.kind: box for box in walk(memoryview(data))}
    if b"ftyp" not in boxes or b"moov" not in boxes:
        raise NotMp4("the file is cut off, or is no MP4")
    if b"mdat" not in boxes:
        raise NotMp4("the file has no pictures in it")
    size: tuple[int, int] | None = None
    codec = sound = None
    seconds = 0.0
    for box in walk(boxes[b"moov"].body):
        if box.kind == b"mvhd":
            seconds = _length(box.body)
        elif box.kind == b"trak" and size is None and (found := _picture_size(box.body)):
            size, codec = found, _codec(box.body)
        elif box.kind == b"trak" and sound is None and handler(box.body) == b"soun":
            sound = _codec(box.body)
    if size is None:
        raise NotMp4("the file has no video track")
    return VideoFacts(*size, seconds=round(seconds, 3), codec=codec, sound=sound)


def walk(data: memoryview) -> Iterator[Box]:
    """Walk the boxes on one level; one that is longer than what contains it ends the walk."""
    at = 0
    for _ in range(_MOST_BOXES):
        if at + 8 > len(data):
            return
        size = int.from_bytes(data[at : at + 4])
        head = 8
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16])
            head = 16
        elif size == 0:
            size = len(data) - at
        if size < head or at + size > len(data):
            return
        yield Box(bytes(data[at + 4 : at + 8]), data[at + head : at + size], at, at + head)
        at += size


def inside(box: memoryview, *path: bytes) -> Iterator[Box]:
    """Walk the boxes at the end of a path of kinds."""
    kind, *rest = path
    for found in walk(box):
        if found.kind != kind:
            continue
        if rest:
            yield from inside(found.body, *rest)
        else:
            yield found


def handler(trak: memoryview) -> bytes:
    """Return what kind of track it is: `vide`, `soun`, `meta` …; empty when it does not say."""
    found = next(inside(trak, b"mdia", b"hdlr"), None)
    return b"" if found is None else bytes(found.body[8:12])


def _codec(trak: memoryview) -> str | None:
    """Return the name of the first sample entry, in four letters where it has no other."""
    found = next(inside(trak, b"mdia", b"minf", b"stbl", b"stsd"), None)
    name = b"" if found is None else bytes(found.body[12:16])
    if name in _CODECS:
        return _CODECS[name]
    letters = name.decode("latin-1").strip()
    return letters if letters.isascii() and letters.isprintable() and letters else None


def _length(mvhd: memoryview) -> float:
    if len(mvhd) < 32:
        raise NotMp4("its header is cut off")
    if mvhd[0] == 1:
        scale, length = int.from_bytes(mvhd[20:24]), int.from_bytes(mvhd[24:32])
    else:
        scale, length = int.from_bytes(mvhd[12:16]), int.from_bytes(mvhd[16:20])
    if not scale:
        raise NotMp4("its header has no time scale")
    return length / scale


def _picture_size(trak: memoryview) -> tuple[int, int] | None:
    """Return width and height of a video track as it is shown; none for sound and the like."""
    head = next(inside(trak, b"tkhd"), None)
    size = None if head is None else _shown_size(head.body)
    return size if size and all(size) and handler(trak) == b"vide" else None


def _shown_size(tkhd: memoryview) -> tuple[int, int] | None:
    matrix_at = 52 if tkhd and tkhd[0] == 1 else 40
    if len(tkhd) < matrix_at + 44:
        return None
    width, height = (
        int.from_bytes(tkhd[matrix_at + place : matrix_at + place + 4]) >> 16 for place in (36, 40)
    )
    # A quarter turn has nothing on the matrix's diagonal: (0 b / c 0) instead of (a 0 / 0 d).
    turned = int.from_bytes(tkhd[matrix_at : matrix_at + 4]) == 0
    return (height, width) if turned else (width, height)
