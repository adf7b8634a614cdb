"""Put what comes in into the inbox: many at once, and nobody is answered before the commit.

While one commit is on its way the next arrivals gather, so the busier it is the cheaper each one
gets. The waiting costs no durability: `store` returns after the COMMIT of its own row.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Counter, Gauge, Histogram

from services.gateway.queries.inbox import PUT_IN
from shared import clock
from shared.database import DatabaseUnavailable

log = structlog.get_logger()

BATCH = 200
"""Rows that one statement takes."""
CAPACITY = 5_000
"""Arrivals that may wait; whoever comes after is asked to come back."""
COMMIT_WITHIN = 10.0
"""Seconds after which a silent database counts as gone."""
_CONNECT_WITHIN = 3.0
_WINDOW = 0.25
_FLOOD = 1_000 * _WINDOW
"""Rows of one window from which on more comes in than one process can handle."""
_LATE = 0.05
"""Seconds from an arrival to its commit from which on handling takes too much from storing. A slow
machine is flooded by few; what a platform feels is how long it waits."""
_AFTER_FAILURE = 0.2

_ROWS = Histogram(
    "permesso_intake_batch_rows", "Rows of one commit.", buckets=(1, 2, 5, 10, 20, 50, 100, 200)
)
_WAITING = Gauge("permesso_intake_waiting", "Arrivals that wait for their commit.")
_FAILED = Counter("permesso_intake_failures_total", "Commits that failed or gave no answer.")


class IntakeFull(Exception):
    """Too much is waiting already; nothing was stored, a later try is safe."""


class Arrival(NamedTuple):
    """Something to be put in, as raw as it came: one row, in the order of the statement."""

    brand_id: UUID
    id: UUID
    account_id: UUID
    channel: str
    dedupe: str
    person: int
    """From `person_key`: rows with equal keys are handled in their order."""
    request: str
    """What besides the body is needed to understand it, as JSON text."""
    body: bytes
    received_at: datetime


def person_key(account_id: UUID, person: str) -> int:
    """Return a number for a person on an account; two who share one only share a queue."""
    raw = account_id.bytes + person.encode("utf-8", "replace")
    return int.from_bytes(blake2b(raw, digest_size=8).digest()) >> 1


class _Waiting:
    """An arrival and those who wait to hear that it is stored."""

    __slots__ = ("arrival", "since", "stored")

    def __init__(self, arrival: Arrival, stored: asyncio.Future[None]) -> None:
        self.arrival = arrival
        self.since = clock.ticks()
        self.stored = stored


class Intake:
    """One connection that commits what has gathered, again and again."""

    def __init__(
        self, url: str, *, capacity: int = CAPACITY, wake: asyncio.Event | None = None
    ) -> None:
        """Write as the role of `url`, which may put in and read nothing; `wake` the workers."""
        self._url = url
        self._capacity = capacity
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._stored = wake or asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._statement: asyncpg.prepared_stmt.PreparedStatement | None = None
        self._unsure = False
        self._closing = False
        self._window_ends = 0.0
        self._in_window = 0
        self._in_last_window = 0
        self._late_until = 0.0

    def flooded(self) -> bool:
        """Say whether so much comes in that handling has to stand back for storing."""
        now = clock.ticks()
        many = self._in_last_window > _FLOOD and now < self._window_ends + _WINDOW
        return many or now < self._late_until

    async def store(self, arrival: Arrival) -> None:
        """Return when the row is committed, or was before (a repeat of the same webhook).

        Raises `IntakeFull`, or `DatabaseUnavailable` when it is not known to be stored: it may be
        all the same, so the sender has to repeat it, and a repeat changes nothing.
        """
        await self.enqueue(arrival)

    def enqueue(self, arrival: Arrival) -> asyncio.Future[None]:
        """Queue an arrival; the future is done when it is stored."""
        if len(self._queue) >= self._capacity or self._closing:
            raise IntakeFull
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(arrival, stored))
        self._arrived.set()
        return stored

    async def run(self) -> None:
        """Commit what gathers until `close` was called and nothing waits."""
        try:
            while self._queue or not self._closing:
                await self._arrived.wait()
                # One turn of the loop: whoever is being read right now comes along.
                await asyncio.sleep(0)
                batch = list(islice(self._queue, BATCH))
                for _ in batch:
                    self._queue.popleft()
                if not self._queue and not self._closing:
                    self._arrived.clear()
                _WAITING.set(len(self._queue))
                if batch:
                    await self._commit(batch)
        finally:
            _tell(list(self._queue), DatabaseUnavailable("the gateway is closing"))
            await self._disconnect()

    def close(self) -> None:
        """Take nothing more; what waits is still stored."""
        self._closing = True
        self._arrived.set()

    async def _commit(self, batch: list[_Waiting]) -> None:
        try:
            await self._write([each.arrival for each in batch])
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
            log.error("intake.refused", error=type(error).__name__, rows=len(batch))
            await self._commit_one_by_one(batch)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _FAILED.inc()
            log.warning("intake.failed", error=type(error).__name__, rows=len(batch))
            unavailable = DatabaseUnavailable("not known to be stored")
            unavailable.__cause__ = error
            _tell(batch, unavailable)
            await self._disconnect()
            await asyncio.sleep(_AFTER_FAILURE)
        except Exception as error:  # the edge: the next batch must not wait for ever
            _FAILED.inc()
            log.exception("intake.broken", rows=len(batch))
            broken = DatabaseUnavailable("not known to be stored")
            broken.__cause__ = error
            _tell(batch, broken)
            await self._disconnect()
        except asyncio.CancelledError:
            _tell(batch, DatabaseUnavailable("the gateway is closing"))
            raise
        else:
            _ROWS.observe(len(batch))
            _tell(batch, None)
            self._count(len(batch), waited=clock.ticks() - batch[0].since)
            if not self.flooded():
                self._stored.set()

    def _count(self, rows: int, *, waited: float) -> None:
        now = clock.ticks()
        # One that waited alone waited for the disk, or for a connection.
        if waited > _LATE and rows > 1:
            self._late_until = now + _WINDOW
        if now >= self._window_ends:
            # A window that nobody closed in time tells of a pause, not of a flood.
            fresh = now < self._window_ends + _WINDOW
            self._in_last_window = self._in_window if fresh else 0
            self._in_window = 0
            self._window_ends = now + _WINDOW
        self._in_window += rows

    async def _commit_one_by_one(self, batch: list[_Waiting]) -> None:
        """Find the row that PostgreSQL will not have; the others are innocent."""
        if len(batch) == 1:
            _tell(batch, DatabaseUnavailable("the row was refused"))
            return
        for each in batch:
            await self._commit([each])

    async def _write(self, arrivals: Sequence[Arrival]) -> None:
        """Insert and commit in one round trip: a single statement is its own transaction."""
        statement = self._statement or await self._connect()
        await statement.fetch(*zip(*arrivals, strict=True), timeout=COMMIT_WITHIN)
        if self._unsure:
            self._unsure = False
            raise asyncpg.PostgresConnectionError("a standby did not confirm the commit")

    async def _connect(self) -> asyncpg.prepared_stmt.PreparedStatement:
        async with asyncio.timeout(_CONNECT_WITHIN):
            connection = await asyncpg.connect(
                self._url,
                # Whatever the server's default is: what we acknowledge has reached the disk.
                server_settings={
                    "synchronous_commit": "on",
                    "statement_timeout": "9s",
                    "application_name": "permesso-gateway-intake",
                },
            )
            self._connection = connection
            connection.add_log_listener(self._listen)
            self._statement = await connection.prepare(PUT_IN)
        return self._statement

    def _listen(self, connection: object, message: asyncpg.PostgresLogMessage) -> None:
        """Hear that a commit returned without its synchronous standby (a warning, not an error)."""
        if "synchronous replication" in (message.message or ""):
            self._unsure = True

    async def _disconnect(self) -> None:
        connection, self._connection, self._statement = self._connection, None, None
        if connection is not None:
            connection.terminate()


def _tell(batch: Sequence[_Waiting], error: Exception | None) -> None:
    """Let those who wait go on; some may have gone away."""
    for each in batch:
        if each.stored.done():
            continue
        if error is None:
            each.stored.set_result(None)
        else:
            each.stored.set_exception(error)
