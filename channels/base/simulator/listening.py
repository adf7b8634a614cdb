"""Serving a platform on a real port, and the moment of each request's first byte.

The log must say when a request *began* to arrive, and an application learns of a request only
after its head was parsed. So uvicorn's protocol, here, stamps every chunk before the parser sees
it; a request that begins in a chunk gets that chunk's stamp, in `scope["state"]["first_byte_ns"]`.
The stamp is taken when the event loop reads the socket: a busy loop reads later than the bytes
came, never earlier, so a late stamp can accuse a sender wrongly but never excuse one. `LoopLag`
says how busy the loop was.
"""

import asyncio
import socket
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

KEEP_ALIVE_SECONDS = 75
BACKLOG = 4096


class _OneWrite:
    """A transport that sends an answer's head together with what follows it.

    Uvicorn writes them one after the other, and each write is a system call: more than half of what
    a call to a platform costs here.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.abort = transport.abort

    def write(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 1"):
            self._head = data
            return
        self._transport.write(data)

    def close(self) -> None:
        if self._head:
            self._transport.write(self._head)
            self._head = b""
        self._transport.close()


class StampingProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol, telling applications when a request's first byte was read."""

    _read_ns = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with a connection whose answers leave in one write."""
        super().connection_made(cast("asyncio.Transport", _OneWrite(transport)))

    def data_received(self, data: bytes) -> None:
        """Stamp the chunk, then parse it."""
        self._read_ns = time.monotonic_ns()
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Give the request its stamp, and the means to hang up on it without an answer."""
        super().on_message_begin()
        state = self.scope["state"]
        state["first_byte_ns"] = self._read_ns
        state["hang_up"] = self.transport.close


class LoopLag:
    """How long ready work waited for the event loop: the log's own measure of its stamps."""

    def __init__(self, *, every: float = 0.02, window: float = 10.0) -> None:
        """Look `every` so many seconds; remember the worst of a `window`."""
        self._every = every
        self._worst: deque[tuple[float, float]] = deque()
        self._window = window
        self.maximum = 0.0
        """The worst since the start, in seconds."""
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look."""
        if self._handle is None:
            self._arm()

    def stop(self) -> None:
        """Look no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    @property
    def recent(self) -> float:
        """The worst of the last window, in seconds."""
        oldest = time.monotonic() - self._window
        return max((lag for at, lag in self._worst if at >= oldest), default=0.0)

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(self._every, self._look, loop.time() + self._every)

    def _look(self, due: float) -> None:
        now = time.monotonic()
        lag = max(0.0, asyncio.get_running_loop().time() - due)
        self.maximum = max(self.maximum, lag)
        while self._worst and (self._worst[0][0] < now - self._window or self._worst[-1][1] <= lag):
            if self._worst[-1][1] <= lag:
                self._worst.pop()
            else:
                self._worst.popleft()
        self._worst.append((now, lag))
        self._arm()


class Listener:
    """One port with an application behind it, which can be closed and opened again."""

    def __init__(self, app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Prepare to listen; port 0 takes a free one and keeps it."""
        self.host = host
        self.port = port
        self._config = Config(
            app,
            http=StampingProtocol,
            interface="asgi3",
            ws="none",
            lifespan="off",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            log_config=None,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    @property
    def base_url(self) -> str:
        """The address to call it by."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def open(self) -> None:
        """Listen; a second call changes nothing."""
        if self._server is not None:
            return
        if not self._config.loaded:
            self._config.load()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: StampingProtocol(self._config, self._state, {}, loop),
            self.host,
            self.port,
            backlog=BACKLOG,
            reuse_address=True,
        )
        listening: socket.socket = self._server.sockets[0]
        self.port = listening.getsockname()[1]

    async def close(self, *, patience: float = 1.0) -> None:
        """Refuse new connections, close idle ones, cut what is not done in `patience` seconds."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=patience)
        for connection in list(self._state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        for task in list(self._state.tasks):
            task.cancel()
        # One turn of the loop lets the transports tell their protocols that they are gone.
        await asyncio.sleep(0)


@asynccontextmanager
async def serving(app: ASGIApp, *, port: int = 0) -> AsyncIterator[Listener]:
    """Serve an application on a port of its own for as long as the block lasts."""
    listener = Listener(app, port=port)
    await listener.open()
    try:
        yield listener
    finally:
        await listener.close()
