"""The connections to one origin: the warmest first, never more than the limit."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from shared import clock
from shared.http.connection import Connection
from shared.http.errors import NotSent, StartedTooLate

_EARLY = 0.002
"""Seconds by which a loop's timers may fire before their time: uvloop counts whole milliseconds."""


class Pool:
    """Lends connections; dials a new one when none is free and the limit allows it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        dial: Callable[["Pool", float], Awaitable[Connection]],
        limit: int,
        idle_seconds: float,
        connect_seconds: float,
        wait_seconds: float,
    ) -> None:
        """`dial` opens a connection for this pool within so many seconds, or raises `NotSent`."""
        self._loop = loop
        self._dial = dial
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._connect_seconds = connect_seconds
        self._wait_seconds = wait_seconds
        self._idle: list[Connection] = []
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._connections: set[Connection] = set()
        self._dialling = 0
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def unused(self) -> bool:
        """Say whether nothing here is open, being opened or waited for."""
        return not (self._connections or self._dialling or self._waiters)

    def take(self) -> Connection | None:
        """Return a live idle connection at once, the one that rested least."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable():
                return connection
            connection.abort()
        return None

    async def acquire(self, start_before: float | None) -> Connection:
        """Return a connection, new or waited for; raise `NotSent` when none can be had in time."""
        give_up_at = self._loop.time() + self._wait_seconds
        while not self._closed:
            connection = self.take()
            if connection is not None:
                return connection
            left = give_up_at - self._loop.time()
            if start_before is not None:
                left = min(left, start_before - clock.ticks())
            if left <= 0:
                raise _too_late(start_before, "pool_timeout")
            if len(self._connections) + self._dialling < self._limit:
                return await self._open(left, start_before)
            connection = await self._wait(left, start_before)
            if connection is not None and connection.open:
                return connection
        raise NotSent("client_closed")

    async def _open(self, left: float, start_before: float | None) -> Connection:
        self._dialling += 1
        try:
            connection = await self._dial(self, min(left, self._connect_seconds))
        except BaseException as error:
            self._dialling -= 1
            self._let_next_dial()
            if isinstance(error, NotSent) and error.code.endswith("_timeout"):
                raise _too_late(start_before, error.code) from error
            raise
        self._dialling -= 1
        if self._closed:
            connection.abort()
            raise NotSent("client_closed")
        self._connections.add(connection)
        return connection

    async def _wait(self, left: float, start_before: float | None) -> Connection | None:
        """Wait for a connection, or for None: room to open one."""
        turn: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiters.append(turn)
        try:
            async with asyncio.timeout(left):
                return await turn
        except TimeoutError as error:
            self._give_back(turn)
            raise _too_late(start_before, "pool_timeout") from error
        except asyncio.CancelledError:
            self._give_back(turn)
            raise

    def _give_back(self, turn: asyncio.Future[Connection | None]) -> None:
        """Pass on what came in the moment in which nobody wanted it any more."""
        if not turn.done() or turn.cancelled() or turn.exception() is not None:
            return
        connection = turn.result()
        if connection is not None and connection.open:
            self.free(connection)
        else:
            self._let_next_dial()

    def free(self, connection: Connection) -> None:
        """Lend the connection to who waits longest, or let it rest."""
        while self._waiters:
            turn = self._waiters.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._idle_seconds, self._sweep)

    def forget(self, connection: Connection) -> None:
        """Leave out a closed connection; its place is free."""
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._let_next_dial()

    def _let_next_dial(self) -> None:
        while self._waiters:
            turn = self._waiters.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _sweep(self) -> None:
        """Close what rested too long, before the server does it while we write."""
        self._sweeper = None
        oldest = self._loop.time() - self._idle_seconds
        for connection in [each for each in self._idle if each.idle_since <= oldest]:
            self._idle.remove(connection)
            connection.abort()
        if self._idle:
            rest = self._idle[0].idle_since + self._idle_seconds - self._loop.time()
            self._sweeper = self._loop.call_later(max(rest, 0.01), self._sweep)

    async def close(self) -> None:
        """Close every connection, whatever it is doing, and send home who waits."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for turn in self._waiters:
            if not turn.done():
                turn.set_exception(NotSent("client_closed"))
        self._waiters.clear()
        connections = list(self._connections)
        for connection in connections:
            connection.abort()
        if connections:
            await asyncio.wait([connection.closed for connection in connections], timeout=1.0)


def _too_late(start_before: float | None, otherwise: str) -> NotSent:
    if start_before is not None and clock.ticks() >= start_before - _EARLY:
        return StartedTooLate()
    return NotSent(otherwise)
