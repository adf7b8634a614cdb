"""What a lane's owner has in hand: slips it claimed, and their messages that were not begun.

A slip stays in hand until each of its messages is settled, so whoever takes the lane over finds
under it what was in flight. Messages that could not be begun now go back to the front and are asked
about again; nothing is written for them.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from prometheus_client import Histogram

from services.dispatcher.queries import slips
from services.dispatcher.queries.lanes import Lane
from services.dispatcher.queries.slips import NO_CAMPAIGN, Claimed, Cursor
from shared import clock
from shared.database import Database

_CLAIMING = Histogram(
    "permesso_claim_seconds",
    "How long a lane's owner takes to claim slips of one queue.",
    buckets=(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0),
)
STUCK = 10.0
"""Seconds after which somebody looks at slips that do not end, and from then on now and then."""
FROM_THE_FRONT = 30.0
"""Seconds after which a queue's fresh messages are claimed from its front again, should any have
come back behind the cursor."""


@dataclass(slots=True)
class _Queue:
    """The messages of one campaign in hand, and where its next claim begins."""

    ready: deque[Claimed] = field(default_factory=deque)
    cursor: Cursor = field(default_factory=Cursor)
    from_the_front_at: float = 0.0

    def aim(self) -> Cursor:
        """Return where to claim from; what was begun before always from the front: it is little."""
        now = clock.ticks()
        if now >= self.from_the_front_at:
            self.cursor = Cursor()
            self.from_the_front_at = now + FROM_THE_FRONT
        self.cursor.again = slips.START
        return self.cursor


class Hand:
    """One lane's, under one epoch, of one runner."""

    def __init__(self, database: Database, lane: Lane) -> None:
        """Hold nothing."""
        self._database = database
        self._lane = lane
        self._queues: dict[UUID, _Queue] = {}
        self._open: dict[UUID, set[UUID]] = {}
        """By slip: those of its messages that are neither settled nor put elsewhere."""
        self._done: set[UUID] = set()
        """Slips with none of these, that are to be forgotten."""
        self._live: set[UUID] = set()
        """Those of them that could not be: somebody else has a message of theirs in flight."""
        self._look_at = 0.0

    def holds(self, queue_id: UUID) -> bool:
        """Are messages of this queue in hand?"""
        queue = self._queues.get(queue_id)
        return queue is not None and bool(queue.ready)

    async def take(self, queue_id: UUID, wanted: int) -> list[Claimed]:
        """Return messages of a queue, `wanted` at most: those in hand, and more that are due.

        Fewer than wanted means that no more are due.
        """
        queue = self._queues.setdefault(queue_id, _Queue())
        while len(queue.ready) < wanted and await self._claim(queue_id, queue, wanted):
            pass
        return [queue.ready.popleft() for _ in range(min(wanted, len(queue.ready)))]

    def put_back(self, messages: Sequence[Claimed]) -> None:
        """Take back, in their order, messages that were not begun."""
        for message in reversed(messages):
            queue = self._queues.setdefault(message.campaign_id or NO_CAMPAIGN, _Queue())
            queue.ready.appendleft(message)

    def drop(self, campaigns: Iterable[UUID]) -> None:
        """Let go of what is of other campaigns than these: they were paused, or are over."""
        for queue_id in self._queues.keys() - {NO_CAMPAIGN, *campaigns}:
            self.landed(self._queues.pop(queue_id).ready)

    def landed(self, messages: Iterable[Claimed]) -> None:
        """Let go of messages that are settled, withheld or put off.

        Of a slip that was put back and claimed again meanwhile, these may be in nobody's hand: what
        flew the first time is not among what was claimed the second time.
        """
        for message in messages:
            left = self._open.get(message.slip_id)
            if left is None:
                continue
            left.discard(message.id)
            if not left:
                del self._open[message.slip_id]
                self._done.add(message.slip_id)

    def is_stuck(self) -> bool:
        """Is there a slip with nothing but what somebody else has in flight? True once a while."""
        if not self._live or clock.ticks() < self._look_at:
            return False
        self._look_at = clock.ticks() + STUCK
        return True

    def forget(self) -> None:
        """Hold nothing any more: somebody put all of it back into the queue."""
        self._queues.clear()
        self._open.clear()
        self._done.clear()
        self._live.clear()

    async def finish(self) -> None:
        """Forget the slips on which nothing is live any more."""
        asked = self._done | self._live
        if not asked:
            return
        async with self._database.statement(self._lane.brand_id) as connection:
            # Those that stay have a message in flight, of before somebody took the slip away, or
            # whose settlement could not be stored: a later look sees the end of it.
            stay = await slips.finish(
                connection,
                brand_id=self._lane.brand_id,
                slips=list(asked),
                epoch=self._lane.epoch,
            )
        if not self._live:
            self._look_at = clock.ticks() + STUCK
        # More may have landed meanwhile.
        self._done -= asked
        self._live = stay

    async def give_back(self) -> None:
        """Let everything wait again that was not begun."""
        await self.finish()
        held, done = bool(self._open), list(self._done | self._live)
        self.forget()
        if not held and not done:
            return
        async with self._database.statement(self._lane.brand_id) as connection:
            await slips.give_back(
                connection,
                brand_id=self._lane.brand_id,
                account_id=self._lane.id,
                epoch=self._lane.epoch,
                in_flight=done,
            )

    async def _claim(self, queue_id: UUID, queue: _Queue, wanted: int) -> bool:
        """Claim more of a queue; false when nothing of it is due."""
        cursor = queue.aim()
        began_at = cursor.fresh
        with _CLAIMING.time():
            taken = await self._take(queue_id, cursor, wanted - len(queue.ready))
        if not taken.slips:
            # Behind the cursor there may be some that came back.
            queue.from_the_front_at = 0.0
            return began_at != slips.START
        for slip_id in taken.slips:
            self._open[slip_id] = set()
        for message in taken.messages:
            self._open[message.slip_id].add(message.id)
        for slip_id in taken.slips:
            if not self._open[slip_id]:
                del self._open[slip_id]
                self._done.add(slip_id)
        queue.ready.extend(taken.messages)
        return True

    async def _take(self, queue_id: UUID, cursor: Cursor, limit: int) -> slips.Taken:
        async with self._database.statement(self._lane.brand_id) as connection:
            return await slips.claim(
                connection,
                brand_id=self._lane.brand_id,
                account_id=self._lane.id,
                queue_id=queue_id,
                epoch=self._lane.epoch,
                limit=limit,
                cursor=cursor,
            )
