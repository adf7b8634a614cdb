"""Take out of a picture's file all that is not the picture: places, names, thumbnails. Pure.

Nothing is decoded: what is kept is kept byte for byte, and what stands behind the picture's end
(phones put whole films there) goes. The formats: ITU-T T.81 with its APPn segments, PNG (W3C),
WebP (RFC 9649), GIF89a.
"""

import re
from collections.abc import Callable

# A marker ends a scan: FF, and then neither a stuffed 00 nor a restart nor one more FF.
_SCAN_ENDS = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_STANDALONE = frozenset([0x01, *range(0xD0, 0xD9)])
_PNG_KEPT = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT bKGD pHYs cICP mDCV cLLI".split()
)
_WEBP_KEPT = frozenset([b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP"])
_WEBP_METADATA_FLAGS = 0b0000_1100
_GIF_LOOPS = (b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0")


class Damaged(ValueError):
    """The file does not hold together; the text says why, for people."""


class Moves(ValueError):
    """The file holds an animation of a kind that platforms do not show."""


def without_metadata(data: bytes, kind: str) -> bytes:
    """Return the same picture without metadata; `kind` is JPEG, PNG, WEBP or GIF."""
    try:
        return _STRIPPERS[kind](data)
    except IndexError as error:
        raise Damaged("the file is cut off") from error


def _jpeg(data: bytes) -> bytes:
    kept, at = [data[:2]], 2
    while True:
        if data[at] != 0xFF:
            raise Damaged("the picture is damaged")
        while data[at] == 0xFF:  # Any number of them may stand before a marker.
            at += 1
        marker = data[at]
        at += 1
        if marker == 0xD9:
            return b"".join([*kept, b"\xff\xd9"])
        if marker in _STANDALONE:
            continue
        segment = _exactly(data, at, int.from_bytes(data[at : at + 2]), least=2)
        at += len(segment)
        kept.append(_jpeg_segment(marker, segment))
        if marker == 0xDA:
            found = _SCAN_ENDS.search(data, at)
            if found is None:
                raise Damaged("the file is cut off")
            kept.append(data[at : found.start()])
            at = found.start()


def _jpeg_segment(marker: int, segment: bytes) -> bytes:
    """Return a segment as it is kept; empty for a comment, EXIF, XMP, IPTC and the like."""
    head = bytes([0xFF, marker])
    if marker == 0xE0:  # Without the thumbnail that may follow its fourteen bytes.
        whole = segment[2:7] == b"JFIF\0" and len(segment) >= 16
        return head + b"\x00\x10" + segment[2:14] + bytes(2) if whole else b""
    if marker == 0xE2:
        return head + segment if segment[2:14] == b"ICC_PROFILE\0" else b""
    if marker == 0xEE or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
        return head + segment
    return b""


def _png(data: bytes) -> bytes:
    kept, at = [data[:8]], 8
    while True:
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        chunk = _exactly(data, at, size + 12, least=12)
        at += len(chunk)
        if kind == b"acTL":
            raise Moves("it is animated")
        if kind in _PNG_KEPT:
            kept.append(chunk)
        if kind == b"IEND":
            return b"".join(kept)


def _webp(data: bytes) -> bytes:
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    if data[8:12] != b"WEBP" or end < 20:
        raise Damaged("the file is cut off, or is no picture")
    kept, at = [], 12
    while at + 8 <= end:
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        chunk = _exactly(data, at, 8 + size, least=8)
        at += len(chunk) + size % 2
        if kind in (b"ANIM", b"ANMF"):
            raise Moves("it is animated")
        if kind == b"VP8X":
            chunk = chunk[:8] + bytes([chunk[8] & ~_WEBP_METADATA_FLAGS & 0xFF]) + chunk[9:]
        if kind in _WEBP_KEPT:
            kept.append(chunk + bytes(size % 2))
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _gif(data: bytes) -> bytes:
    at = 13 + _color_table(data[10])
    kept = [data[:at]]
    while (kind := data[at]) != 0x3B:
        begin = at
        if kind == 0x2C:
            at = _blocks_end(data, at + 10 + _color_table(data[at + 9]) + 1)
        elif kind == 0x21:
            at = _blocks_end(data, at + 2)
            label, told = data[begin + 1], data[begin + 2 : begin + 14]
            if label == 0xFE or (label == 0xFF and told not in _GIF_LOOPS):
                continue
        else:
            raise Damaged("the picture is damaged")
        kept.append(data[begin:at])
    return b"".join([*kept, b"\x3b"])


def _color_table(flags: int) -> int:
    return 3 << ((flags & 0b111) + 1) if flags & 0x80 else 0


def _blocks_end(data: bytes, at: int) -> int:
    """Return where a chain of blocks ends, each with its length in front, the last one empty."""
    while size := data[at]:
        at += size + 1
    return at + 1


def _exactly(data: bytes, at: int, size: int, *, least: int) -> bytes:
    if size < least or at + size > len(data):
        raise Damaged("the file is cut off, or is damaged")
    return data[at : at + size]


_STRIPPERS: dict[str, Callable[[bytes], bytes]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "GIF": _gif,
}
