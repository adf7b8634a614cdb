"""A wire to the platform that is poisoned in one way or another: late, thin, sliced or cut."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from tests.shared.fault_proxy import reset

How = Literal[
    "clean",
    "latency",  # each piece two seconds late
    "jitter",  # each piece up to two seconds late
    "bandwidth",  # 400 bytes a second
    "slow_close",  # the answer comes, and then nothing on a connection that stays open a while
    "timeout",  # nothing comes through, and after three seconds the connection ends
    "reset",  # the connection is reset at the first byte of an answer
    "slicer",  # pieces of a few bytes, some milliseconds apart
    "limit_data",  # the connection ends after 100 bytes of an answer
]
TOXICS = get_args(How)[1:]
_LATE = 2.0
_BYTES_PER_SECOND = 400
_GIVEN_UP_AFTER = 3.0
_LIMIT = 100


class Toxic:
    """Carries bytes between whoever connects and the platform, as it is told to."""

    def __init__(self, url: str) -> None:
        """Lead to the platform at `url`."""
        where = urlsplit(url)
        self._to = (where.hostname or "", where.port or 0)
        self._tasks: set[Any] = set()
        self._chance = random.Random(17)
        self.how: How = "clean"
        self.port = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        self._tasks.add(asyncio.current_task())
        there_reader, there_writer = await asyncio.open_connection(*self._to)
        asks = asyncio.create_task(self._pass_on(reader, there_writer, answers=False))
        answers = asyncio.create_task(self._pass_on(there_reader, writer, answers=True))
        try:
            await asyncio.wait((asks, answers), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # The wire is taken away.
        finally:
            for each in (asks, answers):
                each.cancel()
            await asyncio.gather(asks, answers, return_exceptions=True)
            for end in (writer, there_writer):
                end.transport.abort()
            self._tasks.discard(asyncio.current_task())

    async def _pass_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with suppress(ConnectionError):
            while piece := await source.read(65_536):
                if not await self._poison(piece, sink, answers=answers):
                    return

    async def _poison(self, piece: bytes, sink: asyncio.StreamWriter, *, answers: bool) -> bool:
        """Pass a piece on; false when the connection ends with it."""
        how = self.how
        if how == "latency":
            await asyncio.sleep(_LATE)
        elif how == "jitter":
            await asyncio.sleep(self._chance.uniform(0, _LATE))
        elif how == "bandwidth":
            await asyncio.sleep(len(piece) / _BYTES_PER_SECOND)
        elif how == "timeout":
            await asyncio.sleep(_GIVEN_UP_AFTER)
            return False
        elif how == "slicer":
            await self._slice(piece, sink)
            return True
        elif how == "reset" and answers:
            reset(sink)
            return False
        elif how == "limit_data" and answers:
            sink.write(piece[:_LIMIT])
            await sink.drain()
            return False
        sink.write(piece)
        await sink.drain()
        if how == "slow_close" and answers:
            await asyncio.sleep(_GIVEN_UP_AFTER)
            return False
        return True

    async def _slice(self, piece: bytes, sink: asyncio.StreamWriter) -> None:
        for start in range(0, len(piece), 16):
            sink.write(piece[start : start + 16])
            await sink.drain()
            await asyncio.sleep(self._chance.uniform(0, 0.02))

    async def end(self) -> None:
        """Cut what there is."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def a_toxic_wire(url: str) -> AsyncIterator[Toxic]:
    """Lay a wire to the platform, clean to begin with."""
    toxic = Toxic(url)
    server = await asyncio.start_server(toxic.carry, "127.0.0.1", 0)
    toxic.port = server.sockets[0].getsockname()[1]
    try:
        yield toxic
    finally:
        server.close()
        await toxic.end()
