"""The Merkle tree of RFC 9162: hashes, an append that needs O(log n), proofs, and their checks.

    level 2        (2,0)                 A complete subtree is a `Node`: (level, number) covers the
    level 1    (1,0)   (1,1)   (1,2)     leaves number << level up to (number + 1) << level. Once
    leaves     0   1   2   3   4   5   6 made it never changes, so nodes are only ever added.

Pure: hashes go in and come out; where they are kept is the caller's business.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf; the prefix keeps it from ever being one of a node."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an interior node."""
    return sha256(b"\x01" + left + right).digest()


class Node(NamedTuple):
    """A complete subtree."""

    level: int
    number: int


Hashes = Mapping[Node, bytes]


class Tree:
    """A tree that can grow: its size and its peaks, the complete subtrees from left to right."""

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        """Go on from a size, with the hashes of `cover(0, size)`."""
        self.size = size
        self._peaks = list(peaks)
        if len(self._peaks) != size.bit_count():
            raise ValueError("a tree has one peak for each bit of its size")

    def append(self, leaf: bytes) -> list[tuple[Node, bytes]]:
        """Add a leaf's hash; return the nodes above the leaves that it completes."""
        made = []
        top, level, number = leaf, 0, self.size
        while number & 1:
            top = node_hash(self._peaks.pop(), top)
            level, number = level + 1, number >> 1
            made.append((Node(level, number), top))
        self._peaks.append(top)
        self.size += 1
        return made

    def root(self) -> bytes:
        """Return the tree's head."""
        return _folded(self._peaks) if self._peaks else EMPTY_ROOT


class Span(NamedTuple):
    """The leaves from `begin` up to, not with, `end`, as one subtree of RFC 9162."""

    begin: int
    end: int


def cover(begin: int, end: int) -> list[Node]:
    """Return the complete subtrees that make up a span, from left to right."""
    nodes = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        nodes.append(Node(level, begin >> level))
        begin += 1 << level
    return nodes


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Say which subtrees prove that leaf `index` is in the tree of `size` leaves (2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError("the tree has no such leaf")
    spans = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(begin, middle))
            begin = middle
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """Say which subtrees prove that the tree of `new` leaves grew out of `old` ones (2.1.4.1)."""
    if not 0 < old <= new:
        raise ValueError("a tree grows, and from something")
    spans = []
    begin, end, known = 0, new, True
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(begin, middle))
            begin, known = middle, False
    return (spans if known else [*spans, Span(begin, end)])[::-1]


def nodes_of(spans: Iterable[Span]) -> list[Node]:
    """Return every node that `prove` will ask for."""
    return [node for span in spans for node in cover(*span)]


def prove(spans: Iterable[Span], hashes: Hashes) -> list[bytes]:
    """Return the proof: one hash for each span."""
    return [_folded([hashes[node] for node in cover(*span)]) for span in spans]


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Check that a leaf's hash stands at `index` in the tree of this size and root (2.1.3.2)."""
    if not 0 <= index < size:
        return False
    number, last, found = index, size - 1, leaf
    for other in path:
        if last == 0:
            return False
        if number & 1 or number == last:
            found = node_hash(other, found)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            found = node_hash(found, other)
        number, last = number >> 1, last >> 1
    return last == 0 and found == root


def extends(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Check that the tree of `new` leaves begins with the `old` ones (2.1.4.2)."""
    if old == 0:
        return not path and old_root == EMPTY_ROOT
    if old == new:
        return not path and old_root == new_root
    if not old < new or not path:
        return False
    steps = iter(path)
    first = old_root if old & (old - 1) == 0 else next(steps)
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    before = after = first
    for other in steps:
        if last == 0:
            return False
        if number & 1 or number == last:
            before, after = node_hash(other, before), node_hash(other, after)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            after = node_hash(after, other)
        number, last = number >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _split(size: int) -> int:
    """Return the largest power of two below `size`: where the tree divides."""
    return 1 << (size - 1).bit_length() - 1


def _folded(peaks: Sequence[bytes]) -> bytes:
    *rest, top = peaks
    for peak in reversed(rest):
        top = node_hash(peak, top)
    return top
