"""The log of every call a simulated platform received: the ground truth of all checks.

An entry takes about 60 bytes (columns of numbers, names stored once), so a million entries fit
beside everything else; when there are more, the oldest go in whole chunks and `first_seq` says so.
"""

from array import array
from collections import deque
from hashlib import sha256
from typing import TypedDict

DIGEST_BYTES = sha256().digest_size
CHUNK = 1 << 16
NO_CONTENT = bytes(DIGEST_BYTES)


class Entry(TypedDict):
    """One call, as the control side tells it."""

    seq: int
    at_ns: int
    channel: str
    account: str | None
    method: str
    address: str | None
    outcome: str
    digest: str | None


class _Names:
    """Strings that come again and again, each stored once."""

    def __init__(self) -> None:
        self._numbers: dict[str | None, int] = {}
        self._names: list[str | None] = []

    def number(self, name: str | None) -> int:
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = len(self._names)
            self._names.append(name)
        return found

    def name(self, number: int) -> str | None:
        return self._names[number]


class _Chunk:
    """The columns of up to `CHUNK` entries."""

    __slots__ = ("at_ns", "digests", "first_seq", "names")

    def __init__(self, first_seq: int) -> None:
        self.first_seq = first_seq
        self.at_ns = array("Q")
        self.names = array("L")
        """Five numbers an entry: channel, account, method, address, outcome."""
        self.digests = bytearray()


class CallLog:
    """Append-only while it lasts; `seq` counts from 1 in the order in which calls ended."""

    def __init__(self, capacity: int = 1 << 20) -> None:
        """Keep at least the newest `capacity` entries; 0 keeps none and only counts."""
        self._capacity = capacity
        self._begin()

    def _begin(self) -> None:
        self.last_seq = 0
        self._names = _Names()
        self._chunks: deque[_Chunk] = deque()

    def clear(self) -> None:
        """Forget everything and count from 1 again."""
        self._begin()

    @property
    def first_seq(self) -> int:
        """The oldest entry that is still here; one above `last_seq` when there is none."""
        return self._chunks[0].first_seq if self._chunks else self.last_seq + 1

    def add(
        self,
        *,
        at_ns: int,
        channel: str,
        account: str | None,
        method: str,
        address: str | None,
        outcome: str,
        digest: bytes = NO_CONTENT,
    ) -> None:
        """Append a call; `at_ns` is CLOCK_MONOTONIC when its first byte was read."""
        self.last_seq += 1
        if not self._capacity:
            return
        chunk = self._chunks[-1] if self._chunks else None
        if chunk is None or len(chunk.at_ns) >= CHUNK:
            chunk = self._next_chunk()
        number = self._names.number
        chunk.at_ns.append(at_ns)
        chunk.names.extend(
            (number(channel), number(account), number(method), number(address), number(outcome))
        )
        chunk.digests += digest

    def _next_chunk(self) -> _Chunk:
        chunk = _Chunk(self.last_seq)
        self._chunks.append(chunk)
        if (len(self._chunks) - 1) * CHUNK > self._capacity:
            self._chunks.popleft()
        return chunk

    def since(self, seq: int, limit: int = 10_000) -> list[Entry]:
        """Return up to `limit` entries that came after `seq`, in order."""
        entries: list[Entry] = []
        for chunk in self._chunks:
            start = max(0, seq + 1 - chunk.first_seq)
            for index in range(start, len(chunk.at_ns)):
                if len(entries) >= limit:
                    return entries
                entries.append(self._entry(chunk, index))
        return entries

    def _entry(self, chunk: _Chunk, index: int) -> Entry:
        channel, account, method, address, outcome = (
            self._names.name(number) for number in chunk.names[index * 5 : index * 5 + 5]
        )
        digest = chunk.digests[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES]
        return Entry(
            seq=chunk.first_seq + index,
            at_ns=chunk.at_ns[index],
            channel=channel or "",
            account=account,
            method=method or "",
            address=address,
            outcome=outcome or "",
            digest=None if digest == NO_CONTENT else digest.hex(),
        )
