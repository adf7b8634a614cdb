"""One HTTP/1.1 connection: it writes a request, reads the answer, and knows what has left.

```
dialling → idle ⇄ answering → closed
```
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from typing import cast
from weakref import WeakKeyDictionary

import httptools

from shared import clock
from shared.http.errors import Lost, NotSent, SendingError, StartedTooLate
from shared.http.response import Response

_RESET = struct.pack("ii", 1, 0)
# When the connection was used, or any of this loop was heard of, less than so many seconds ago,
# nobody asks the kernel: an unread end of the stream is newer than that, and is news that the event
# loop brings in its next round. Asking costs as much as a fifth of the whole exchange.
_FRESH = 0.01
_HEARD = 0.05
_HEAD_ALLOWANCE = 65_536


class _Ear:
    """When a loop last brought news from a socket: it had looked at all of them then."""

    __slots__ = ("heard_at",)

    def __init__(self) -> None:
        self.heard_at = float("-inf")


_EARS: WeakKeyDictionary[asyncio.AbstractEventLoop, _Ear] = WeakKeyDictionary()


class Connection(asyncio.Protocol):
    """A connected socket, TLS done, that carries one exchange at a time."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        *,
        on_free: Callable[["Connection"], None],
        on_closed: Callable[["Connection"], None],
        answer_limit: int,
        cut_long_answers: bool,
    ) -> None:
        """Tell `on_free` when an exchange has ended well, and `on_closed` once, at the end."""
        self._loop = loop
        self._ear = _EARS.setdefault(loop, _Ear())
        self._sock = sock
        self._on_free = on_free
        self._on_closed = on_closed
        self._answer_limit = answer_limit
        self._cut_long_answers = cut_long_answers
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: asyncio.Future[Response] | None = None
        self._answer: Response | None = None
        self._headers: list[tuple[bytes, bytes]]
        self._body: list[bytes]
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._due = 0.0
        self.open = False
        self.idle_since = 0.0
        self.closed: asyncio.Future[None] = loop.create_future()
        self._forget_answer()

    async def exchange(
        self,
        head: bytes,
        body: bytes | Sequence[bytes],
        *,
        start_before: float | None,
        timeout: float,  # noqa: ASYNC109 - a timer of the connection's own costs a tenth of asyncio.timeout
    ) -> Response:
        """Write one request and return its answer; raise `NotSent`, `StartedTooLate` or `Lost`."""
        transport = self._transport
        if not self.open or transport is None or transport.is_closing():
            self.abort()
            raise NotSent("connection_closed")
        waiting: asyncio.Future[Response] = self._loop.create_future()
        self._waiting = waiting
        self._watch(timeout)
        if isinstance(body, bytes):
            request = [b"%b%d\r\n\r\n%b" % (head, len(body), body)]
        else:
            request = [b"%b%d\r\n\r\n" % (head, sum(map(len, body))), *body]
        if start_before is not None and clock.ticks() >= start_before:
            self._waiting = None
            self._on_free(self)
            raise StartedTooLate
        transport.writelines(request) if len(request) > 1 else transport.write(request[0])
        try:
            return await waiting
        except asyncio.CancelledError:
            if self._waiting is waiting:
                self._waiting = None
                self.abort(reset=True)
            elif not waiting.cancelled():
                waiting.exception()  # It came in the same moment; nobody else will look at it.
            raise

    def usable(self) -> bool:
        """Say whether an idle connection is alive, as far as this machine can know."""
        if not self.open:
            return False
        if self._loop.time() - self.idle_since < _FRESH:
            return True
        if clock.ticks() - self._ear.heard_at < _HEARD:
            return True
        try:
            # Whatever can be read now is the end of the stream or an answer to no question.
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def abort(self, *, reset: bool = False) -> None:
        """Close at once; with `reset`, what the kernel has not sent yet never leaves."""
        self.open = False
        if self._transport is None:
            return
        if reset and self._sock.fileno() >= 0:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    # What the event loop says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin idle."""
        self._transport = cast(asyncio.Transport, transport)
        self.open = True
        self.idle_since = self._loop.time()

    def data_received(self, data: bytes) -> None:
        """Read on; what comes without a question makes the connection useless."""
        self._ear.heard_at = clock.ticks()
        if self._waiting is None:
            self.abort()
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._reusable = False
            if self._answer is None:
                self._fail(Lost("answer_garbled", status=self._known_status()))
                return
        if self._size > self._answer_limit:
            self._too_long()
        elif self._answer is not None:
            self._finish(self._answer)
        elif self._received > self._answer_limit + _HEAD_ALLOWANCE:
            self._too_long()

    def eof_received(self) -> None:
        """Take an answer that ends with the connection; any other end is a loss."""
        self.open = False
        if self._waiting is not None and self._headers_done and not self._framed():
            self._reusable = False
            self._finish(Response(self._status, self._headers, b"".join(self._body)))

    def connection_lost(self, exc: Exception | None) -> None:
        """End what still waits, and leave the pool."""
        self.open = False
        if self._waiting is not None:
            self._fail(self._loss(exc))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.closed.done():
            self.closed.set_result(None)
            self._on_closed(self)

    # What the parser says.

    def on_message_begin(self) -> None:
        """Notice a second answer behind the one we asked for."""
        if self._answer is not None:
            self._reusable = False
            self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Learn the status, which an answer that breaks off later still has."""
        if self._answer is None:
            self._status = self._parser.get_status_code()
            self._headers_done = self._status >= 200

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body."""
        if self._answer is None:
            self._body.append(data)
            self._size += len(data)

    def on_message_complete(self) -> None:
        """Keep the answer until its last byte is parsed; pass over a 1xx."""
        if self._answer is not None:
            return
        if self._status < 200:
            self._headers.clear()
            return
        self._reusable = self._reusable and self._parser.should_keep_alive()
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._answer = Response(self._status, self._headers, body)

    # How an exchange ends.

    def _finish(self, answer: Response) -> None:
        waiting, self._waiting = self._waiting, None
        transport = self._transport
        unsent = transport.get_write_buffer_size() if transport is not None else 0
        reusable = self._reusable and self.open and not unsent
        self._forget_answer()
        if reusable:
            self.idle_since = self._loop.time()
            self._on_free(self)
        else:
            self.abort(reset=bool(unsent))
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _fail(self, error: SendingError) -> None:
        waiting, self._waiting = self._waiting, None
        self.abort(reset=True)
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)

    def _too_long(self) -> None:
        if self._cut_long_answers and self._headers_done:
            self._reusable = False
            body = b"".join(self._body)[: self._answer_limit]
            self._finish(Response(self._status, self._headers, body, cut=True))
        else:
            self._fail(Lost("answer_too_large", status=self._known_status()))

    def _loss(self, error: Exception | None) -> Lost:
        if self._received:
            return Lost("answer_cut", status=self._known_status())
        broken = isinstance(error, OSError | ssl.SSLError)
        return Lost("connection_reset" if broken else "connection_closed")

    def _framed(self) -> bool:
        """Say whether the body's end is marked, so that the connection's end is not it."""
        marks = (b"content-length", b"transfer-encoding")
        return any(name.lower() in marks for name, _ in self._headers)

    def _known_status(self) -> int | None:
        return self._status if self._headers_done else None

    def _forget_answer(self) -> None:
        self._answer = None
        self._status = self._received = self._size = 0
        self._headers = []
        self._body = []
        self._headers_done = False
        self._reusable = True

    # One timer per connection, moved only when it rings or is too late: most answers come long
    # before, and setting and cancelling a timer for each would cost more than parsing it.

    def _watch(self, timeout: float) -> None:
        self._due = self._loop.time() + timeout
        if self._timer is None or self._timer_at > self._due:
            if self._timer is not None:
                self._timer.cancel()
            self._set_timer()

    def _set_timer(self) -> None:
        self._timer_at = self._due
        self._timer = self._loop.call_at(self._due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._waiting is None:
            return
        if self._loop.time() < self._due - 0.001:
            self._set_timer()
        else:
            self._fail(Lost("answer_timeout", status=self._known_status()))
