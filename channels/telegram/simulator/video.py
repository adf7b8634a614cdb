"""What an MP4 says about itself: its size and length, from its boxes (ISO 14496-12)."""

import struct
from dataclasses import dataclass

_CONTAINERS = (b"moov", b"trak")


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """Pixels and seconds; zero where the file does not say."""

    width: int = 0
    height: int = 0
    seconds: float = 0.0


def video_facts(data: bytes) -> VideoFacts:
    """Read a video's facts; what is not an MP4 has none."""
    found = {"width": 0, "height": 0, "seconds": 0.0}
    try:
        _walk(data, 0, len(data), found)
    except (struct.error, OverflowError):
        return VideoFacts()
    return VideoFacts(int(found["width"]), int(found["height"]), float(found["seconds"]))


def _walk(data: bytes, start: int, end: int, found: dict[str, float]) -> None:
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        if size == 0:
            size = end - start
        if size < head:
            return
        if kind in _CONTAINERS:
            _walk(data, start + head, min(end, start + size), found)
        elif kind == b"mvhd":
            found["seconds"] = _length(data, start + head)
        elif kind == b"tkhd":
            width, height = struct.unpack_from(">II", data, start + size - 8)
            found["width"] = max(found["width"], width >> 16)
            found["height"] = max(found["height"], height >> 16)
        start += size


def _length(data: bytes, at: int) -> float:
    long = data[at] == 1
    scale_at = at + (20 if long else 12)
    (scale,) = struct.unpack_from(">I", data, scale_at)
    (duration,) = struct.unpack_from(">Q" if long else ">I", data, scale_at + 4)
    return float(duration / scale) if scale else 0.0
