"""The worker of the inbox: each stored webhook, one person's in their order, to its end.

    new ─handled→ done
     │ ├─ a service is away → the same row again soon, that person's later ones wait
     │ └─ it breaks         → again later, at longer and longer intervals
     └─ broke ATTEMPTS times → dead: kept with its reason and counted; the later ones go on

Up to `PERSONS` persons are handled at once, of whom `AT_ONCE` are new: one who waits for a halt
holds up nobody else, and more new ones than keep a process busy would only be in each other's way.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Final, NamedTuple, Self
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Counter, Gauge, Histogram

from services.gateway.handle import Consequences, Handler
from services.gateway.letters import API, Letter
from services.gateway.queries import inbox as queries
from services.gateway.rows import Finished, Rows, Work
from services.gateway.slices import Slices
from shared import clock
from shared.clients.base import ServiceRefused, ServiceUnavailable
from shared.database import Database, DatabaseUnavailable
from shared.worker import STOP_WITHIN

log = structlog.get_logger()

PERSONS: Final = 256
"""Persons at once: more than keep a process busy, because those whose revocation waits for a dead
dispatcher only wait, and must not hold up others for six seconds."""
AT_ONCE: Final = 32
"""Persons at once who have not waited for long: what each of them costs grows with their number."""
ATTEMPTS: Final = 10
OF_EACH_SLICE: Final = 4
"""Rows that one look takes of each slice."""
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 30.0
_LONGEST_PAUSE_AWAY = 5.0
"""Seconds at most until a row is tried again when it was not the row's fault."""
_LOOK_WHILE_AWAY = 0.25
_LOOK_WHILE_FLOODED = 0.05
_ROWS_WHILE_HELD_BACK = 4
_FRESH = 2.0
"""Seconds from which on a person is taken to be waiting, and not to be at work."""
_LOOK_ANYWAY = 0.25
"""Seconds after which there is a look for urgent rows, however much there is to do already."""
_LOOK_FIRST = 0.25
_LOOK_AT_LEAST_EVERY = 1.0
_DATABASE_AWAY = (
    DatabaseUnavailable,
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)

_HANDLED = Counter("permesso_inbox_handled_total", "Rows by how they ended.", ["state"])
_AGAIN = Counter("permesso_inbox_again_total", "Rows that have to be tried again.", ["why"])
_BUSY = Gauge("permesso_inbox_persons", "Persons whose rows are being handled.")
_LAG = Histogram(
    "permesso_inbox_seconds",
    "From the arrival of a webhook until all was done.",
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600, 3600),
)

"""A row's state, reason and events."""


class _Turn(NamedTuple):
    """One person's turn."""

    slice: int
    began_at: float


class Inbox:
    """Handles what is due in the slices of this process; `async with` bounds its tasks."""

    def __init__(
        self,
        database: Database,
        handler: Handler,
        *,
        handling: Database | None = None,
        wake: asyncio.Event | None = None,
        flooded: Callable[[], bool] = lambda: False,
    ) -> None:
        """Read from `database` as the gateway's role; set `wake` when there may be more to do.

        `handling` has connections for what is being handled: 256 persons who wait for one must not
        keep leases, or whoever else uses `database`, from having one.

        While `flooded` says that more comes in than can be handled, storing goes before handling:
        platforms wait for the one and not for the other.
        """
        self._database = database
        self._rows = Rows(handling or database)
        self._handler = handler
        self._busy: dict[int, _Turn] = {}
        self._wake = wake or asyncio.Event()
        self.slices = Slices(database, busy=self._slices_at_work)
        self._waiting: dict[UUID, asyncio.Future[Finished]] = {}
        self._group = asyncio.TaskGroup()
        self._turns: set[asyncio.Task[None]] = set()
        self._flooded = flooded
        self._look_at = 0.0
        self._looked_at = 0.0
        self._hurried = False

    def _slices_at_work(self) -> set[int]:
        return {turn.slice for turn in self._busy.values()}

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What is cut short here is not done yet in its row: the next process begins it again.
        if self._turns:
            _, late = await asyncio.wait(set(self._turns), timeout=STOP_WITHIN)
            for turn in late:
                turn.cancel()
        await self._group.__aexit__(kind, error, trace)

    async def step(self) -> int:
        """Begin what is due, and return how many rows that is."""
        room = PERSONS - len(self._busy)
        now = clock.ticks()
        if room <= 0 or not self.slices.held or now < self._look_at:
            return 0
        ordinary = min(room, self._ordinary(now))
        if ordinary <= 0 and not self._hurried and now < self._looked_at + _LOOK_ANYWAY:
            return 0
        self._hurried, self._looked_at = False, now
        async with self._database.connection() as connection:
            rows = await queries.next_work(
                connection, owner=self.slices.owner, busy=list(self._busy), of_each=OF_EACH_SLICE
            )
        turns: dict[int, list[Work]] = defaultdict(list)
        for row in rows:
            work = Work(**row)
            if work.urgent or work.person in turns or len(turns) < ordinary:
                turns[work.person].append(work)
        begun = list(turns.items())[:room]
        for person, works in begun:
            self._busy[person] = _Turn(works[0].slice, now)
            turn = self._group.create_task(self._turn(person, works))
            self._turns.add(turn)
            turn.add_done_callback(self._turns.discard)
        _BUSY.set(len(self._busy))
        return sum(len(works) for _, works in begun)

    def _ordinary(self, now: float) -> int:
        """Return how many persons may begin for whom nobody waits, and when to look again."""
        fresh = sum(1 for turn in self._busy.values() if now - turn.began_at < _FRESH)
        if self._handler.hampered:
            # A few rows show whether the service is back.
            self._look_at = now + _LOOK_WHILE_AWAY
            return _ROWS_WHILE_HELD_BACK
        if self._flooded():
            self._look_at = now + _LOOK_WHILE_FLOODED
            return _ROWS_WHILE_HELD_BACK - fresh
        free = AT_ONCE - fresh
        # One look for each who has finished would cost more than the handling.
        return free if free >= AT_ONCE // 2 else 0

    def hurry(self) -> None:
        """Look at once: something urgent was stored, for which somebody waits."""
        self._hurried = True
        self._look_at = 0.0
        self._wake.set()

    @contextmanager
    def expecting(self, inbox_id: UUID) -> Iterator[asyncio.Future[Finished]]:
        """Hear at once when a row is finished here; begin before it is stored."""
        future = self._waiting[inbox_id] = asyncio.get_running_loop().create_future()
        try:
            yield future
        finally:
            self._waiting.pop(inbox_id, None)

    async def wait_for(
        self, brand_id: UUID, inbox_id: UUID, finished: asyncio.Future[Finished]
    ) -> Finished:
        """Wait until a row is done or dead, here or (looking now and then) in another process."""
        pause = _LOOK_FIRST
        while True:
            done, _ = await asyncio.wait([finished], timeout=pause)
            if done:
                return finished.result()
            async with self._database.connection(brand_id) as connection:
                row = await queries.state(connection, brand_id=brand_id, inbox_id=inbox_id)
            if row is not None and row["state"] != "new":
                return Finished(row["state"], row["reason"], row["events"])
            pause = min(pause * 1.5, _LOOK_AT_LEAST_EVERY)

    async def _turn(self, person: int, works: Sequence[Work]) -> None:
        """Handle one person's rows in their order, until one has to wait."""
        try:
            for work in works:
                if not await self._handle(work):
                    break
        except Exception as error:  # the edge: what is left is found again by the next steps
            _AGAIN.labels("database").inc()
            log.warning("inbox.interrupted", error=type(error).__name__)
            self._look_at = clock.ticks() + _LOOK_WHILE_AWAY
        finally:
            del self._busy[person]
            _BUSY.set(len(self._busy))
            self._wake.set()

    async def _handle(self, work: Work) -> bool:
        """Handle one row and say whether the person's next one may follow."""
        row = await self._rows.load(work)
        if row is None or row["state"] != "new":
            await self._rows.drop(work)
            return True
        letter = Letter.of(work.brand_id, row)
        try:
            done = await self._handler.handle(letter)
            forgets = done.erased is not None
            await self._finish(work, letter, Finished("done", None, _notes(done), forgets))
        except (ServiceUnavailable, *_DATABASE_AWAY) as error:
            why = error.service if isinstance(error, ServiceUnavailable) else "database"
            _AGAIN.labels(why).inc()
            await self._rows.postpone(work, _pause(work.tries, _LONGEST_PAUSE_AWAY))
            return False
        except ServiceRefused as error:
            log.warning(
                "inbox.refused", inbox=str(letter.id), service=error.service, code=error.code
            )
            final = letter.channel == API and 400 <= error.status < 500
            return await self._broken(
                work, letter, row["attempts"], f"refused:{error.code}", final=final
            )
        except Exception as error:  # the edge: one row that breaks must not stop the others
            log.exception("inbox.broken", inbox=str(letter.id), attempts=row["attempts"] + 1)
            return await self._broken(work, letter, row["attempts"], type(error).__name__)
        await self._handler.revoker.halt_once_more(tuple(done.unsettled))
        return True

    async def _broken(
        self, work: Work, letter: Letter, attempts: int, reason: str, *, final: bool = False
    ) -> bool:
        """Try the row again later, or give it up, so that the person's next one may follow."""
        if final or attempts + 1 >= ATTEMPTS:
            await self._finish(work, letter, Finished("dead", reason, None))
            log.error("inbox.dead", inbox=str(letter.id), reason=reason)
            return True
        _AGAIN.labels("broken").inc()
        await self._rows.count_attempt(work, reason)
        await self._rows.postpone(work, _pause(attempts, _LONGEST_PAUSE))
        return False

    async def _finish(self, work: Work, letter: Letter, finished: Finished) -> None:
        await self._rows.finish(work, finished)
        _HANDLED.labels(finished.state).inc()
        _LAG.observe(max(0.0, (clock.now() - letter.received_at).total_seconds()))
        waiting = self._waiting.pop(work.inbox_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(finished)


def _pause(tries: int, longest: float) -> float:
    """Return how long a row rests after so many tries: longer each time, and never all at once."""
    pause: float = min(_FIRST_PAUSE * 2 ** min(tries, 16), longest)
    return pause * random.uniform(0.8, 1.2)  # noqa: S311 - nothing secret


def _notes(done: Consequences) -> list[dict[str, object]] | dict[str, object]:
    """Return what is kept with a row: for a revocation, what the caller has to be told."""
    if done.erased is not None:
        return {"erased": done.erased.model_dump(mode="json")}
    if done.recorded is None:
        return done.notes
    kept = done.recorded.model_dump(mode="json", exclude={"reaches"})
    return {"recorded": kept, "notes": done.notes}
