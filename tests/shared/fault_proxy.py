"""A wire that breaks where it is told to, and a platform behind it that knows what arrived."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"ok":true}'


@dataclass(frozen=True)
class Fault:
    """What the wire does with one exchange."""

    passes: Literal["nothing", "head", "half_body", "all"] = "all"
    """How much of the request reaches the platform."""
    answer: bytes | None = None
    """What goes back; None for the platform's own answer."""
    then: Literal["close", "reset", "hang", "keep"] = "close"
    drip: float = 0.0
    """Seconds between single bytes of the answer."""


class Platform:
    """Receives requests and notes the bodies of those that came whole: the ground truth."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.first_came = asyncio.Event()
        self.tasks: set[Any] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.received.append(await reader.readexactly(content_length(head)))
                self.first_came.set()
                writer.write(OK)
                await writer.drain()
        await end(writer)


class FaultProxy:
    """The n-th exchange on the wire meets the n-th fault; the last one repeats."""

    def __init__(self, platform_port: int, faults: Sequence[Fault]) -> None:
        self._platform_port = platform_port
        self._faults = faults
        self._writers: set[asyncio.StreamWriter] = set()
        self.exchanges = 0
        self.connections = 0
        self.ended = asyncio.Event()
        self._released = asyncio.Event()
        self.tasks: set[Any] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.current_task())
        self.connections += 1
        self._writers.add(writer)
        upstream_reader, upstream_writer = await asyncio.open_connection(
            "127.0.0.1", self._platform_port
        )
        try:
            while await self._exchange(reader, writer, upstream_reader, upstream_writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The client has hung up.
        finally:
            self._writers.discard(writer)
            await end(upstream_writer)
            await end(writer)
            self.ended.set()

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream_reader: asyncio.StreamReader,
        upstream_writer: asyncio.StreamWriter,
    ) -> bool:
        fault = self._faults[min(self.exchanges, len(self._faults) - 1)]
        if fault.passes != "nothing":
            head = await reader.readuntil(b"\r\n\r\n")
            self.exchanges += 1
            upstream_writer.write(head)
            length = content_length(head)
            wanted = {"head": 0, "half_body": length // 2, "all": length}[fault.passes]
            upstream_writer.write(await reader.readexactly(wanted))
            await upstream_writer.drain()
        answer = fault.answer
        if fault.passes == "all":
            own = await upstream_reader.readexactly(len(OK))
            answer = own if answer is None else answer
        await self._write(writer, answer or b"", fault.drip)
        match fault.then:
            case "hang" if fault.passes == "all":
                while await reader.read(65_536):
                    pass
            case "hang":  # Read nothing more, so that a long body gets stuck.
                await self._released.wait()
            case "reset":
                reset(writer)
        return fault.then == "keep"

    async def _write(self, writer: asyncio.StreamWriter, answer: bytes, drip: float) -> None:
        if drip:
            for byte in answer:
                if writer.is_closing():
                    raise ConnectionAbortedError
                writer.write(bytes([byte]))
                await asyncio.sleep(drip)
        elif answer:
            writer.write(answer)
            await writer.drain()

    def cut(self) -> None:
        """End every connection at once."""
        self._released.set()
        for writer in list(self._writers):
            reset(writer)

    async def drop_idle(self, how: Callable[[asyncio.StreamWriter], None]) -> None:
        """Do something to every connection that rests, and wait until its handler has ended."""
        self.ended.clear()
        for writer in list(self._writers):
            how(writer)
        await self.ended.wait()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST instead of FIN."""
    sock = writer.get_extra_info("socket")
    if sock is None or writer.is_closing():
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def end(writer: asyncio.StreamWriter) -> None:
    """Close a connection, whatever state it is in, and see it gone."""
    writer.close()
    with suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()


def close(writer: asyncio.StreamWriter) -> None:
    """End a connection politely."""
    writer.close()


def content_length(head: bytes) -> int:
    """Read the one length that our client writes."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


@dataclass
class Wire:
    """A platform and the faulty wire that leads to it."""

    port: int
    platform: Platform
    proxy: FaultProxy


@asynccontextmanager
async def faulty_wire(*faults: Fault, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """Serve a platform behind a wire with these faults, on free ports of loopback."""
    platform = Platform()
    behind = await asyncio.start_server(platform.serve, "127.0.0.1", 0)
    proxy = FaultProxy(behind.sockets[0].getsockname()[1], faults)
    front = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield Wire(front.sockets[0].getsockname()[1], platform, proxy)
    finally:
        front.close()
        behind.close()
        proxy.cut()
        async with asyncio.timeout(5):
            await asyncio.gather(*proxy.tasks, *platform.tasks)


@contextmanager
def black_hole() -> Iterator[int]:
    """Listen with a full queue: the kernel drops every further SYN, so nobody gets through."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # The first fills the queue; it takes one.
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


def closed_port() -> int:
    """Return a port of loopback that refuses connections."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
