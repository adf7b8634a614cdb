"""Writes down what became of attempts, in groups: one transaction per brand and day.

A settlement waits at most for the one before it of its brand. When PostgreSQL is away it waits
longer, and the slots of the window with it, so nothing more leaves until the truth about what left
is stored.

Its commit waits for the disk. A server that lost it in a crash, while this process lived on, would
leave a message in flight that nobody will ever settle.
"""

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

import asyncpg
import structlog

from services.dispatcher import receipts
from services.dispatcher.queries import lanes, messages, settlements, slips
from services.dispatcher.queries.settlements import MOST, Settlement
from services.dispatcher.queries.slips import Claimed
from services.dispatcher.states import Status
from services.dispatcher.window import Window
from services.dispatcher.work import later
from shared import clock, failpoints
from shared.database import Database, DatabaseUnavailable

log = structlog.get_logger()

_AT_ONCE = 8
"""Transactions at once, each of another brand or day."""
_LOOK = 0.25
"""Seconds between two looks whether the end has come."""
_TRIES = 4
"""Of a settlement that PostgreSQL or we ourselves cannot make sense of."""
_AWAY = (
    DatabaseUnavailable,
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
)
"""What is no fault of the settlement: it is tried again for as long as it takes."""
_Key = tuple[UUID, date]
"""Brand and day: what one transaction is about."""


class Settled(NamedTuple):
    """One attempt with its verdict, on its way to be written down."""

    brand_id: UUID
    message: Claimed
    settlement: Settlement
    landed: Callable[[Iterable[Claimed]], None]
    """Told the message when this is stored."""

    @property
    def has_consequences(self) -> bool:
        """Does anything follow from it beyond the message, its slip and its event?"""
        verdict = self.settlement.verdict
        return (
            verdict.status == Status.QUEUED
            or verdict.opted_out
            or verdict.pause_campaign
            or verdict.pause_lane is not None
        )


class Settler:
    """Collects settlements and writes them down; gives their slots back once they are stored."""

    def __init__(self, database: Database, window: Window) -> None:
        """Write to `database`, free slots of `window`."""
        self._database = database
        self._window = window
        self._waiting: dict[_Key, list[Settled]] = {}
        self._came = asyncio.Event()
        self._storing: dict[_Key, asyncio.Task[None]] = {}

    def put(self, settled: Settled) -> None:
        """Take over one settlement; its slot comes back when it is stored."""
        key = settled.brand_id, settled.message.day
        self._waiting.setdefault(key, []).append(settled)
        if key not in self._storing:
            self._came.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Write down what comes until `stop` is set and nothing is left."""
        async with asyncio.TaskGroup() as tasks:
            while not (stop.is_set() and not self._waiting and self._window.used == 0):
                self._came.clear()
                for key, group in self._next():
                    self._storing[key] = tasks.create_task(self._store(key, group))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK):
                        await self._came.wait()

    def _next(self) -> list[tuple[_Key, list[Settled]]]:
        """Take what can be stored now: one brand that has to wait holds up no other."""
        free = [key for key in self._waiting if key not in self._storing]
        groups = []
        for key in free[: _AT_ONCE - len(self._storing)]:
            waiting = self._waiting.pop(key)
            groups.append((key, waiting[:MOST]))
            if rest := waiting[MOST:]:
                self._waiting[key] = rest
        return groups

    async def _store(self, key: _Key, group: Sequence[Settled]) -> None:
        """Store one group, however often it takes: the statement can be repeated."""
        await failpoints.reach("dispatcher.before_settle")
        await self._store_somehow(group)
        for settled in group:
            settled.landed((settled.message,))
        self._window.give(Counter(settled.settlement.account_id for settled in group))
        del self._storing[key]
        self._came.set()
        await failpoints.reach("dispatcher.after_settle")

    async def _store_somehow(self, group: Sequence[Settled]) -> None:
        """Store a group; one that cannot be stored must hold up neither the others nor us.

        Of that one at last only the outcome is written; failing that too, its message is called
        unknown when its lane is recovered.
        """
        wait, tries = 0.05, 0
        while True:
            try:
                await (self._write(group) if tries < _TRIES else self._write_outcome(group))
                return
            except _AWAY as error:
                log.warning("settlement.waiting", reason=type(error).__name__, count=len(group))
            except Exception:
                log.exception("settlement.broke", count=len(group))
                if len(group) > 1:
                    await self._store_somehow(group[: len(group) // 2])
                    await self._store_somehow(group[len(group) // 2 :])
                    return
                tries += 1
                if tries == 2 * _TRIES:
                    log.error("settlement.given_up", message=str(group[0].message.id))
                    return
            await asyncio.sleep(wait)
            wait = min(2.0, wait * 2)

    async def _write_outcome(self, group: Sequence[Settled]) -> None:
        brand_id = group[0].brand_id
        async with self._database.statement(brand_id) as connection:
            await _settle(connection, group)

    async def _write(self, group: Sequence[Settled]) -> None:
        """Store a group; in one statement, unless something follows from it beyond the queue."""
        if any(s.has_consequences for s in group):
            await self._write_all(group)
        else:
            await self._write_outcome(group)
        told = [
            (s.settlement.account_id, platform_id)
            for s in group
            if s.settlement.answered
            for platform_id in s.settlement.platform_ids[:1]
        ]
        if told:
            await receipts.look_for_early(self._database, group[0].brand_id, told)

    async def _write_all(self, group: Sequence[Settled]) -> None:
        """Store a group with all that follows, in one transaction."""
        brand_id, day = group[0].brand_id, group[0].message.day
        async with self._database.connection(brand_id) as connection:
            now = await _settle(connection, group)
            changed = [s for s in group if s.message.id in now]
            requeued = [s.message.id for s in changed if now[s.message.id] == "queued"]
            if requeued:
                gone = await messages.follow_campaigns(
                    connection, brand_id=brand_id, day=day, requeued=requeued
                )
                if gone:
                    await slips.finish(connection, brand_id=brand_id, slips=gone, epoch=0)
            for s in changed:
                if s.settlement.verdict.opted_out:
                    await later(connection, brand_id, "opted_out", s.message.id)
                if s.settlement.verdict.pause_campaign and s.message.campaign_id:
                    await later(connection, brand_id, "bad_content", s.message.campaign_id)
            # In one order: two transactions that lock several lanes must not meet in a circle.
            for account_id, of_lane in sorted(_by_lane(group).items()):
                await _lane(connection, account_id, of_lane)


async def _settle(connection: asyncpg.Connection, group: Sequence[Settled]) -> dict[UUID, str]:
    return await settlements.settle(
        connection,
        brand_id=group[0].brand_id,
        day=group[0].message.day,
        settlements=[s.settlement for s in group],
        at=clock.now(),
    )


def _by_lane(group: Sequence[Settled]) -> dict[UUID, list[Settled]]:
    lanes_of: dict[UUID, list[Settled]] = defaultdict(list)
    for settled in group:
        lanes_of[settled.settlement.account_id].append(settled)
    return lanes_of


async def _lane(connection: object, account_id: UUID, group: Sequence[Settled]) -> None:
    """Let the lane rest where the platform asked for it, and come back in time."""
    verdicts = [s.settlement.verdict for s in group]
    pauses = [v.pause_lane.total_seconds() for v in verdicts if v.pause_lane]
    if pauses:
        await lanes.pause(connection, lane_id=account_id, seconds=max(pauses))
    waits = [v.wait.total_seconds() for v in verdicts if v.status == Status.QUEUED]
    if waits:
        await lanes.wake(connection, lane_id=account_id, seconds=min(waits))
