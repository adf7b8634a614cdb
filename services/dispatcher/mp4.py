"""Read an MP4's size and length from its boxes, without decoding a frame. Pure.

The boxes are those of ISO/IEC 14496-12: `ftyp`, then somewhere `moov` with `mvhd` (length) and one
`trak` per track with `tkhd` (size and rotation) and `mdia/hdlr` (what kind of track).
"""

from collections.abc import Iterator
from dataclasses import dataclass

_MOST_BOXES = 10_000


class NotMp4(ValueError):
    """These bytes are not an MP4 with a picture; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a player would show: pixels after rotation, and seconds."""

    width: int
    height: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    body: memoryview


def looks_like_mp4(data: bytes) -> bool:
    """Say whether the bytes begin as an MP4 does, whatever follows."""
    return data[4:8] == b"ftyp" and data[8:12] not in (b"heic", b"heix", b"mif1", b"avif", b"M4A ")


def read_mp4(data: bytes) -> VideoFacts:
    """Return the facts of a whole file; raise `NotMp4`."""
    boxes = {box.kind: box for box in _boxes(memoryview(data))}
    if b"ftyp" not in boxes or b"moov" not in boxes:
        raise NotMp4("the file is cut off, or is no MP4")
    if b"mdat" not in boxes:
        raise NotMp4("the file has no pictures in it")
    size: tuple[int, int] | None = None
    seconds = 0.0
    for box in _boxes(boxes[b"moov"].body):
        if box.kind == b"mvhd":
            seconds = _length(box.body)
        elif box.kind == b"trak" and size is None:
            size = _picture_size(box.body)
    if size is None:
        raise NotMp4("the file has no video track")
    return VideoFacts(*size, seconds=round(seconds, 3))


def _boxes(data: memoryview) -> Iterator[_Box]:
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
        yield _Box(bytes(data[at + 4 : at + 8]), data[at + head : at + size])
        at += size


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
    size: tuple[int, int] | None = None
    is_video = False
    for box in _boxes(trak):
        if box.kind == b"tkhd":
            size = _shown_size(box.body)
        elif box.kind == b"mdia":
            is_video = any(
                inner.kind == b"hdlr" and bytes(inner.body[8:12]) == b"vide"
                for inner in _boxes(box.body)
            )
    return size if is_video and size and all(size) else None


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
