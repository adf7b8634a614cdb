"""The lanes of this process: which it owns, and a runner for each that has something to do."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

import structlog

from services.dispatcher.membership import HEARTBEAT, Membership
from services.dispatcher.queries import lanes
from services.dispatcher.queries.lanes import Lane
from shared import clock
from shared.database import Database, DatabaseUnavailable

log = structlog.get_logger()

LOOK = 0.1
"""Seconds between two looks for woken lanes."""
BALANCE = 0.5
"""Seconds between two looks for free lanes."""
TAKE_AT_ONCE = 200


class Runner(Protocol):
    """Does what there is to do on one lane."""

    async def run(self, *, stop: asyncio.Event, wake: asyncio.Event) -> None:
        """Work until `stop` is set, the lease ends, or nothing has come for a while."""
        ...


MakeRunner = Callable[[Lane, Callable[[], float]], Runner]
"""From a lane and its lease's end (in ticks; 0 when lost) to a runner."""


@dataclass(slots=True)
class _Held:
    lane: Lane
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    lost: bool = False


class Lanes:
    """Membership, takeover and balance; starts and stops the runners."""

    def __init__(self, database: Database, make_runner: MakeRunner) -> None:
        """Own nothing yet; `run` begins.

        `database` is for this alone: a heartbeat must not wait behind a campaign's statements.
        """
        self.member = Membership(database)
        self._database = database
        self._make_runner = make_runner
        self._held: dict[UUID, _Held] = {}
        self._going: set[asyncio.Task[None]] = set()

    def nudge(self, lane_id: UUID) -> None:
        """Wake a lane of this process now, instead of at the next look."""
        if held := self._held.get(lane_id):
            self._start(held)

    async def run(self, stop: asyncio.Event) -> None:
        """Live until `stop`; then let every runner end, and free the lanes."""
        await self._until_it_works(self.member.join)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(HEARTBEAT, self._beat, stop))
            group.create_task(self._every(LOOK, self._look, stop))
            group.create_task(self._every(BALANCE, self._balance, stop))
        # Whatever fails here must not break off the settler, which waits for the last word.
        await self._until_it_works(lambda: self._let_go(list(self._held.values())))
        if self._going:
            await asyncio.wait(self._going)
        await self._until_it_works(self.member.leave)

    async def _every(self, seconds: float, step: Callable[[], object], stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._until_it_works(step)
            try:
                async with asyncio.timeout(seconds):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _until_it_works(self, step: Callable[[], object]) -> None:
        """One step; a database that is away is somebody else's alarm, and no reason to end."""
        try:
            await step()  # type: ignore[misc]
        except (DatabaseUnavailable, OSError) as error:
            log.warning("lanes.waiting", reason=type(error).__name__)
        except Exception:
            log.exception("lanes.step_broke")

    async def _beat(self) -> None:
        if await self.member.beat():
            if self.member.lapsed:
                # Runners ended with the lease, but nobody took the lanes: they go on.
                for held in self._held.values():
                    self._start(held)
            return
        log.error("lanes.lost", lanes=len(self._held))
        for held in self._held.values():
            held.lost = True
            held.stop.set()
        await self._finish(list(self._held.values()))
        self._held.clear()
        await self.member.join()

    async def _look(self) -> None:
        async with self._database.connection() as connection:
            for lane in await lanes.woken(connection, member_id=self.member.id):
                if held := self._held.get(lane.id):
                    self._start(held)

    async def _balance(self) -> None:
        """Take free lanes up to a fair share; give back what is too much."""
        await self.member.bury_the_dead()
        member_id = self.member.id
        async with self._database.connection() as connection:
            total, free, ours, members = await lanes.counts(connection, member_id=member_id)
            share = math.ceil(total / max(1, members))
            taken: list[Lane] = []
            if ours != len(self._held):
                taken = self._strays(await lanes.owned(connection, member_id=member_id))
            if free and ours < share:
                limit = min(free, share - ours, TAKE_AT_ONCE)
                taken += await lanes.take(connection, member_id=member_id, limit=limit)
        if member_id != self.member.id:
            return  # Taken in a life that is over: the lease of this one does not cover them.
        for lane in taken:
            self._held[lane.id] = held = _Held(lane)
            log.info("lane.taken", lane=str(lane.id), epoch=lane.epoch)
            self._start(held)
        leaving = [held for held in self._held.values() if held.stop.is_set()]
        staying = [held for held in self._held.values() if not held.stop.is_set()]
        if (too_many := ours - len(leaving) - share) > 0:
            # What is in flight there may take half a minute; the dead are not left lying so long.
            going = asyncio.create_task(
                self._until_it_works(lambda: self._let_go(staying[:too_many]))
            )
            self._going.add(going)
            going.add_done_callback(self._going.discard)

    def _strays(self, owned: list[Lane]) -> list[Lane]:
        """Return lanes that are ours but not held: the answer that said so, or not, was lost.

        Those that are held but not ours any more, because their account is gone, are let alone.
        """
        epochs = {lane.id: lane.epoch for lane in owned}
        for held in list(self._held.values()):
            if epochs.get(held.lane.id) != held.lane.epoch:
                held.lost = True
                held.stop.set()
                held.wake.set()
                del self._held[held.lane.id]
        return [lane for lane in owned if lane.id not in self._held]

    def _start(self, held: _Held) -> None:
        held.wake.set()
        if held.task is None or held.task.done():
            held.task = asyncio.create_task(self._run_lane(held), name=f"lane {held.lane.id}")

    async def _run_lane(self, held: _Held) -> None:
        """Run one lane; a bug in it is logged, and the lane is tried again later."""
        runner = self._make_runner(held.lane, lambda: 0.0 if held.lost else self.member.until)
        try:
            await runner.run(stop=held.stop, wake=held.wake)
        except (DatabaseUnavailable, OSError) as error:
            log.warning("lane.waiting", lane=str(held.lane.id), reason=type(error).__name__)
            self._later(held)
        except Exception:
            log.exception("lane.broke", lane=str(held.lane.id))
            self._later(held)
        else:
            if held.wake.is_set() and self.member.until > clock.ticks():
                # Woken while it was ending. After a lapse of the lease, the heartbeat wakes it.
                self._later(held, seconds=0.0)

    def _later(self, held: _Held, seconds: float = 1.0) -> None:
        if not held.stop.is_set():
            asyncio.get_running_loop().call_later(seconds, self._start_if_held, held)

    def _start_if_held(self, held: _Held) -> None:
        if self._held.get(held.lane.id) is held and not held.stop.is_set():
            self._start(held)

    async def _let_go(self, leaving: list[_Held]) -> None:
        """Stop these lanes' runners, wait for what is in flight, and free them."""
        for held in leaving:
            held.stop.set()
            held.wake.set()
        await self._finish(leaving)
        for held in leaving:
            if self._held.get(held.lane.id) is held:
                del self._held[held.lane.id]
        if self.member.until > clock.ticks():
            async with self._database.connection() as connection:
                await lanes.give(connection, lanes={h.lane.id: h.lane.epoch for h in leaving})

    async def _finish(self, leaving: list[_Held]) -> None:
        tasks = [held.task for held in leaving if held.task and not held.task.done()]
        if tasks:
            await asyncio.wait(tasks)
