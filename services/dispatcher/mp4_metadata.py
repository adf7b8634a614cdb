"""Empty what an MP4 tells of who filmed it, where and with what. Pure.

Every box keeps its size and becomes free space, so nothing in the file moves and no picture is
touched. Phones write the place into `udta` and `meta`, editors into `uuid`, and action cameras into
a track of its own, whose samples lie among the film's.
"""

from collections.abc import Iterator

from services.dispatcher.mp4 import handler, inside, walk

_TELLING = frozenset([b"udta", b"meta", b"uuid"])
_HOLDING = frozenset([b"moov", b"trak", b"moof", b"traf"])
_MOST_SAMPLES = 1_000_000


def without_metadata(data: bytes) -> bytes:
    """Return the same film without metadata; a file that has none comes back as it was."""
    cleaned = bytearray(data)
    _empty(cleaned, memoryview(data), 0)
    return bytes(cleaned)


def _empty(cleaned: bytearray, held: memoryview, begins_at: int) -> None:
    for box in walk(held):
        telling_track = box.kind == b"trak" and handler(box.body) in (b"meta", b"camm")
        if box.kind in _TELLING or telling_track:
            if telling_track:
                for begin, end in _samples(box.body):
                    _zero(cleaned, begin, end)
            kind_at, body_at = begins_at + box.begin + 4, begins_at + box.body_at
            cleaned[kind_at : kind_at + 4] = b"free"
            _zero(cleaned, body_at, body_at + len(box.body))
        elif box.kind in _HOLDING:
            _empty(cleaned, box.body, begins_at + box.body_at)


def _zero(cleaned: bytearray, begin: int, end: int) -> None:
    end = min(end, len(cleaned))
    if begin < end:
        cleaned[begin:end] = bytes(end - begin)


def _samples(trak: memoryview) -> Iterator[tuple[int, int]]:
    """Yield where a track's chunks of samples begin and end in the file.

    `stco` says where chunks begin, `stsc` how many samples each has, `stsz` how long they are.
    """
    table = {
        box.kind: box.body
        for stbl in inside(trak, b"mdia", b"minf", b"stbl")
        for box in walk(stbl.body)
    }
    wide = b"co64" in table
    chunks = _numbers(table.get(b"co64" if wide else b"stco"), 8 if wide else 4)
    runs = _numbers(table.get(b"stsc"), 4, columns=3)
    sizes = table.get(b"stsz", memoryview(b""))
    same = int.from_bytes(sizes[4:8])
    each = _numbers(sizes[4:], 4) if len(sizes) >= 12 and not same else []
    number = 0
    for place, begin in enumerate(chunks, start=1):
        count = next((runs[i + 1] for i in range(len(runs) - 3, -1, -3) if runs[i] <= place), 0)
        count = min(count, _MOST_SAMPLES)
        length = same * count if same else sum(each[number : number + count])
        number += count
        yield begin, begin + length


def _numbers(body: memoryview | None, size: int, *, columns: int = 1) -> list[int]:
    """Return the numbers of a table whose count stands at byte 4."""
    if body is None or len(body) < 8:
        return []
    count = min(int.from_bytes(body[4:8]) * columns, (len(body) - 8) // size, _MOST_SAMPLES)
    return [int.from_bytes(body[8 + at * size : 8 + (at + 1) * size]) for at in range(count)]
