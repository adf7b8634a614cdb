"""A wire between two services that live: cut, cut one way only, slowed down, or refusing."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit

How = Literal["whole", "cut", "no_answers", "slow", "refusing"]


class Wire:
    """Carries bytes both ways between whoever connects and one service.

    What a cut wire swallows never arrives, as when packets are dropped: connections stay open and
    stay silent, and new ones are taken and stay silent too.
    """

    def __init__(self, url: str, *, slowness: float = 0.0) -> None:
        """Lead to the service at `url`; a slow wire keeps each piece for so many seconds."""
        where = urlsplit(url)
        self._to = (where.hostname or "", where.port or 0)
        self._slowness = slowness
        self._how: How = "whole"
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.last_answer_ns = 0
        """CLOCK_MONOTONIC when a piece of an answer came through last."""

    async def be(self, how: How) -> None:
        """Treat every piece so from now on."""
        self._how = how
        if how == "refusing":
            await self._close()
        elif self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        """Refuse new connections and reset those that there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        there_reader, there_writer = await asyncio.open_connection(*self._to)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, there_writer, answers=False))
                group.create_task(self._pass_on(there_reader, writer, answers=True))
        except asyncio.CancelledError:
            pass  # The wire was closed, which is all that ends it so.
        finally:
            for each in (writer, there_writer):
                each.transport.abort()

    async def _pass_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with suppress(ConnectionError):
            while piece := await source.read(65_536):
                if self._how == "slow":
                    await asyncio.sleep(self._slowness)
                if self._swallows(answers=answers):
                    continue
                if answers:
                    self.last_answer_ns = time.monotonic_ns()
                sink.write(piece)
                await sink.drain()
            sink.close()

    def _swallows(self, *, answers: bool) -> bool:
        return self._how == "cut" or (answers and self._how == "no_answers")


@asynccontextmanager
async def a_wire(url: str, *, slowness: float = 0.0) -> AsyncIterator[Wire]:
    """Lay a wire to a service, whole to begin with."""
    wire = Wire(url, slowness=slowness)
    await wire.be("whole")
    try:
        yield wire
    finally:
        await wire.be("refusing")
