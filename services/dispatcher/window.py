"""How much may be in flight in this process: between the intent and its settlement."""

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

_SHARE = 2
"""How much one lane may hold, as a multiple of what is free."""


class _Waiting(NamedTuple):
    lane_id: UUID
    wanted: int
    slots: asyncio.Future[int]


class Window:
    """A number of slots, handed out in groups, first come first served.

    A slot is taken before the intent and given back after the settlement is committed, so the
    window's size bounds how many messages a crash can leave unknown.

    A lane may hold twice as many as are free: alone two thirds of all, two lanes 40 % each, and so
    on. However many accounts hang there is room for one more, and slots that nobody wants are not
    kept for anybody (the dynamic thresholds of Choudhury and Hahne,
    https://doi.org/10.1109/90.664262).
    """

    def __init__(self, size: int) -> None:
        """Have `size` slots."""
        self.size = size
        self._held: Counter[UUID] = Counter()
        self._free = size
        self._waiting: deque[_Waiting] = deque()
        self._empty: dict[UUID, asyncio.Event] = {}

    @property
    def used(self) -> int:
        """How many slots are taken."""
        return self.size - self._free

    def take_now(self, lane_id: UUID, wanted: int) -> int:
        """Take as many slots as this lane may have now, `wanted` at most; often none."""
        # As many as leave it, once they are taken, with no more than its share of what is free.
        allowed = -(-(_SHARE * self._free - self._held[lane_id]) // (_SHARE + 1))
        taken = max(0, min(wanted, allowed))
        if taken:
            self._free -= taken
            self._held[lane_id] += taken
        return taken

    async def take(self, lane_id: UUID, wanted: int, *, within: float) -> int:
        """Wait for a slot; take as many as this lane may have, `wanted` at most.

        Returns 0 when there was none in so many seconds.
        """
        if taken := self.take_now(lane_id, wanted):
            return taken
        loop = asyncio.get_running_loop()
        slots: asyncio.Future[int] = loop.create_future()
        # Who gives up or is cancelled is left in the line, and passed over when slots come back.
        self._waiting.append(_Waiting(lane_id, wanted, slots))
        # A fifth of what `asyncio.timeout` costs, and lanes wait some hundred times a second.
        timer = loop.call_later(within, _give_up, slots)
        try:
            return await slots
        except asyncio.CancelledError:
            if not slots.cancelled():
                self.give({lane_id: slots.result()})
            raise
        finally:
            timer.cancel()

    def give(self, slots: Mapping[UUID, int]) -> None:
        """Give slots back, so many of each lane's."""
        for lane_id, number in slots.items():
            self._free += number
            self._held[lane_id] -= number
            if not self._held[lane_id]:
                del self._held[lane_id]
                if empty := self._empty.pop(lane_id, None):
                    empty.set()
        if self._waiting:
            self._serve()

    async def emptied(self, lane_id: UUID) -> None:
        """Return when a lane holds no slot: all that it began is written down."""
        while lane_id in self._held:
            await self._empty.setdefault(lane_id, asyncio.Event()).wait()

    def _serve(self) -> None:
        """Hand out what is free to those who wait and may have it."""
        still: deque[_Waiting] = deque()
        while self._waiting:
            waiting = self._waiting.popleft()
            if waiting.slots.done():
                continue
            if taken := self.take_now(waiting.lane_id, waiting.wanted):
                waiting.slots.set_result(taken)
            else:
                still.append(waiting)
        self._waiting = still


def _give_up(slots: asyncio.Future[int]) -> None:
    if not slots.done():
        slots.set_result(0)
