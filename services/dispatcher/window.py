"""How much may be in flight in this process: between the intent and its settlement."""

import asyncio
from collections import deque


class Window:
    """A number of slots, handed out in groups, first come first served.

    A slot is taken before the intent and given back after the settlement is committed, so the
    window's size bounds how many messages a crash can leave unknown.
    """

    def __init__(self, size: int) -> None:
        """Have `size` slots."""
        self.size = size
        self._free = size
        self._waiting: deque[tuple[int, asyncio.Future[int]]] = deque()

    @property
    def used(self) -> int:
        """How many slots are taken."""
        return self.size - self._free

    async def take(self, wanted: int) -> int:
        """Wait for a free slot; take as many as there are, `wanted` at most."""
        if self._free and not self._waiting:
            return self._hand_out(wanted)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, future))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.give(future.result())
            raise

    def give(self, slots: int = 1) -> None:
        """Give slots back."""
        self._free += slots
        while self._free and self._waiting:
            wanted, future = self._waiting.popleft()
            if not future.done():
                future.set_result(self._hand_out(wanted))

    def _hand_out(self, wanted: int) -> int:
        taken = min(wanted, self._free)
        self._free -= taken
        return taken
