"""A uvicorn protocol that does not wait for ever: slow headers, stuck bodies, unread answers."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PATIENCE = 10.0
"""Seconds for the headers of a request, and for the rest of a body that nobody reads any more."""
WRITING_PATIENCE = 30.0
"""Seconds for which a client may take nothing of an answer."""
LARGEST_HEAD = 64 * 1024
"""Bytes of request line and headers."""
_LOOK_EVERY = 2.5

_HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class PatientProtocol(HttpToolsProtocol):
    """One look at each connection every few seconds; a request itself sets two marks, no timer."""

    _waiting_since: float | None
    """Since when we wait for headers, or for a body that the app no longer reads."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._waiting_since = self.loop.time()
        self._in_head = True
        self._head_size = 0
        self._stuck_since: float | None = None
        self._look = self.loop.call_later(_LOOK_EVERY, self._look_after)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop looking."""
        self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read, and refuse a head without end."""
        super().data_received(data)
        if self._in_head:
            self._head_size += len(data)
            if self._head_size > LARGEST_HEAD and not self.transport.is_closing():
                self.transport.write(_HEAD_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to wait for the headers."""
        super().on_message_begin()
        self._waiting_since = self.loop.time()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """Stop waiting: from here on the guard looks after the body."""
        self._waiting_since = None
        self._in_head = False
        self._head_size = 0
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """The client does not take what we send."""
        self._stuck_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client takes again."""
        self._stuck_since = None
        super().resume_writing()

    def _look_after(self) -> None:
        if self.transport.is_closing():
            return
        now = self.loop.time()
        if self._stuck_since is not None and now - self._stuck_since > WRITING_PATIENCE:
            self.transport.abort()
            return
        if self._unread_body() and self._waiting_since is None:
            self._waiting_since = now
        if self._waiting_since is not None and now - self._waiting_since > PATIENCE:
            self.transport.close()
            return
        self._look = self.loop.call_later(_LOOK_EVERY, self._look_after)

    def _unread_body(self) -> bool:
        """Say whether a request was answered whose body is still coming in."""
        cycle = self.cycle
        return (
            cycle is not None
            and not self._in_head
            and bool(cycle.response_complete)
            and bool(cycle.more_body)
        )
