"""A wire to the simulated platform that breaks where it is told to, for each person in its way."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.shared.fault_proxy import content_length, end, reset

_CHAT = re.compile(rb'"chat_id":\s*(-?\d+)|name="chat_id"\r\n\r\n(-?\d+)')


@dataclass(frozen=True)
class Fault:
    """What the wire does with one call."""

    arrives: float = 1.0
    """How much of the request's body reaches the platform; below 0 not even its head."""
    answer: bytes | Callable[[bytes], bytes] | None = None
    """What goes back, perhaps made of the platform's own answer; None for that as it is."""
    then: str = "keep"
    """keep | close | reset | hang"""


WELL = Fault()
NOWHERE = -1.0


@dataclass
class FaultWire:
    """Each call meets its person's next fault; who has none left is served well."""

    platform_port: int
    port: int = 0
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    unread: Fault | None = None
    """What is done to each connection before anything is read of it."""
    tasks: set[Any] = field(default_factory=set)
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.current_task())
        try:
            if self.unread is not None:
                await self._finish(writer, self.unread)
                return
            while await self._call(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The client has hung up.
        finally:
            with suppress(ConnectionError):
                await end(writer)

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(content_length(head))
        waiting = self.faults.get(_chat(body), [])
        fault = waiting.pop(0) if waiting else WELL
        answer = await self._pass_on(head, body, fault.arrives)
        if fault.answer is not None:
            answer = fault.answer if isinstance(fault.answer, bytes) else fault.answer(answer)
        writer.write(answer)
        await writer.drain()
        await self._finish(writer, fault)
        return fault.then == "keep"

    async def _pass_on(self, head: bytes, body: bytes, share: float) -> bytes:
        """Let so much of a request through, on a connection of its own; return the answer."""
        if share < 0:
            return b""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.platform_port)
        try:
            writer.write(head + body[: int(share * len(body))])
            await writer.drain()
            if share < 1:
                return b""
            told = await reader.readuntil(b"\r\n\r\n")
            return told + await reader.readexactly(content_length(told))
        finally:
            await end(writer)

    async def _finish(self, writer: asyncio.StreamWriter, fault: Fault) -> None:
        if fault.then == "reset":
            reset(writer)
        elif fault.then == "hang":
            await self._over.wait()

    def let_go(self) -> None:
        """End what hangs."""
        self._over.set()


def _chat(body: bytes) -> str:
    found = _CHAT.search(body)
    return "" if found is None else (found[1] or found[2]).decode()


@asynccontextmanager
async def a_fault_wire(platform_port: int, *, unread: str = "") -> AsyncIterator[FaultWire]:
    """Lay a wire to the platform; `unread` is what happens to a connection that nobody reads."""
    wire = FaultWire(platform_port, unread=Fault(then=unread) if unread else None)
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        wire.let_go()
        async with asyncio.timeout(5):
            await asyncio.gather(*wire.tasks)
