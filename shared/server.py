"""How every service is served: uvicorn, with its patience and its appetite limited."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import structlog
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.problems import Problem
from shared.slow_clients import PatientProtocol

log = structlog.get_logger()

MEBIBYTE = 1024 * 1024
KEEP_ALIVE = 75
"""Seconds that an idle connection is kept; longer than the pools of those who call us."""
FINISH_WITHIN = 5
"""Seconds that requests may take to end at shutdown; the workers have four more."""
IDLE = 10.0
"""Seconds without a byte of the body after which a client is sent away."""
SLOWEST = 4096
"""Bytes a second that a body must at least arrive with, after the first `IDLE` seconds."""


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """How large a body may be, in bytes, and how long it may take, in seconds."""

    size: int = MEBIBYTE
    seconds: float = 30.0


class Guard:
    """ASGI middleware: refuses bodies that are too large (413) or come too slowly (408).

    A request without a body, or whose body is there already, costs next to nothing.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit: BodyLimit = BodyLimit(),
        larger: Mapping[str, BodyLimit] | None = None,
    ) -> None:
        """Allow paths that begin with a key of `larger` what it says, and all others `limit`."""
        self._app = app
        self._limit = limit
        self._larger = tuple((larger or {}).items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app with a body that is watched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length: bytes | None = None
        chunked = False
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = value
            elif name == b"transfer-encoding":
                chunked = True
        if not chunked and (length is None or length == b"0"):
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive, send, limit=self._limit_of(scope["path"]))
        if length is not None and int(length) > body.limit.size:
            await body.refuse(body.too_large())
            return
        try:
            await self._app(scope, body.receive, body.send)
        except Problem:
            if not body.refused:
                raise

    def _limit_of(self, path: str) -> BodyLimit:
        for prefix, limit in self._larger:
            if path.startswith(prefix):
                return limit
        return self._limit


class _Body:
    """The body of one request while it comes in."""

    __slots__ = (
        "_begun_at",
        "_complete",
        "_receive",
        "_scope",
        "_send",
        "_size",
        "_started",
        "limit",
        "refused",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, limit: BodyLimit) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._begun_at = 0.0
        self._size = 0
        self._complete = False
        self._started = False
        self.limit = limit
        self.refused = False

    async def receive(self) -> Message:
        """Receive in time and in measure, or answer with the refusal and raise it."""
        if self._complete:
            return await self._receive()
        loop_time = asyncio.get_running_loop().time
        if not self._begun_at:
            self._begun_at = loop_time()
        patience = min(IDLE + self._size / SLOWEST, self.limit.seconds)
        deadline = min(self._begun_at + patience, loop_time() + IDLE)
        try:
            async with asyncio.timeout_at(deadline):
                message = await self._receive()
        except TimeoutError as error:
            problem = Problem(408, "too_slow", "The body came too slowly.", headers=_CLOSE)
            await self.refuse(problem)
            raise problem from error
        self._size += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._size > self.limit.size:
            problem = self.too_large()
            await self.refuse(problem)
            raise problem
        return message

    async def send(self, message: Message) -> None:
        """Send what the app answers, unless the request was refused meanwhile."""
        if not self.refused:
            self._started = True
            await self._send(message)

    def too_large(self) -> Problem:
        """Say what would have been allowed."""
        detail = f"The body may have at most {self.limit.size} bytes."
        return Problem(413, "too_large", detail, headers=_CLOSE)

    async def refuse(self, problem: Problem) -> None:
        """Answer, then read on for a moment: a client that still writes would lose the answer."""
        self.refused = True
        if self._started:
            return
        await problem.response()(self._scope, self._receive, self._send_but_hold)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                await self._drain()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _drain(self) -> None:
        drained = 0
        while not self._complete and drained < _LINGER_SIZE:
            message = await self._receive()
            drained += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)

    async def _send_but_hold(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "more_body": True}
        await self._send(message)


_CLOSE = {"Connection": "close"}
_LINGER_SECONDS = 1.0
_LINGER_SIZE = 8 * MEBIBYTE


class Server(uvicorn.Server):
    """A server that ends with code 0 when it is told to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at the first signal, drop everything at the second, and do not raise it again."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def handle_exit(self, sig: int, frame: object) -> None:
        """Remember that the end has come."""
        self.force_exit = self.should_exit
        self.should_exit = True


def configured(app: ASGIApp, *, limit_concurrency: int | None = None) -> uvicorn.Config:
    """Return how uvicorn serves an app here."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        # Whom to believe about where a request came from is a setting of who is asked from outside.
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=FINISH_WITHIN,
        limit_concurrency=limit_concurrency,
        backlog=2048,
    )


def serve(app: ASGIApp, *, host: str, port: int, limit_concurrency: int | None = 8192) -> int:
    """Serve until told to stop and return the exit code: 0, 2 (port taken), 3 (start-up failed)."""
    try:
        listener = socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=2048,
        )
    except OSError as error:
        log.error("server.not_bound", host=host, port=port, reason=error.strerror)
        return 2
    server = Server(configured(app, limit_concurrency=limit_concurrency))
    with listener:
        try:
            server.run(sockets=[listener])
        except SystemExit:
            log.error("server.not_started")
            return 3
    return 0 if server.started else 3
