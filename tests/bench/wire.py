"""A load generator: requests over a few kept-alive connections, answered one after the other.

Callbacks, no coroutines: it costs some 10 µs for each request, so that what is measured is the
server and not this.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

import httptools

OnAnswer = Callable[[int, bytes], None]
"""Called with the status and the body of each answer."""


@dataclass(slots=True)
class Load:
    """What a load came to."""

    began_at: float = 0.0
    ended_at: float = 0.0
    """Of the last answer; both in seconds of `time.perf_counter`."""
    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    """Seconds from the write of each request to the end of its answer."""

    @property
    def seconds(self) -> float:
        """From the first request to the last answer."""
        return self.ended_at - self.began_at


def request(
    method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> bytes:
    """Return one request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "host: bench", f"content-length: {len(body)}"]
    if body:
        lines.append("content-type: application/json")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def pump(
    port: int,
    requests: Iterator[bytes],
    *,
    connections: int,
    on_answer: OnAnswer | None = None,
) -> Load:
    """Send all of `requests` to 127.0.0.1 and return when the last one is answered."""
    loop = asyncio.get_running_loop()
    load = Load()
    done: list[asyncio.Future[None]] = []
    opened: list[_Connection] = []
    for _ in range(connections):
        finished: asyncio.Future[None] = loop.create_future()
        connection = _Connection(requests, load, finished, on_answer)
        await loop.create_connection(lambda made=connection: made, "127.0.0.1", port)  # type: ignore[misc]
        done.append(finished)
        opened.append(connection)
    load.began_at = time.perf_counter()
    for connection in opened:
        connection.send_next()
    try:
        await asyncio.gather(*done)
    finally:
        for connection in opened:
            connection.close()
    return load


async def answers(port: int) -> bool:
    """Say whether anybody listens there."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


class _Connection(asyncio.Protocol):
    """One connection: writes the next request when the answer before is whole."""

    def __init__(
        self,
        requests: Iterator[bytes],
        load: Load,
        finished: asyncio.Future[None],
        on_answer: OnAnswer | None,
    ) -> None:
        self._requests = requests
        self._load = load
        self._finished = finished
        self._on_answer = on_answer
        self._body: list[bytes] = []
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._finished.done():
            self._finished.set_exception(ConnectionError("the server closed a connection"))

    def close(self) -> None:
        self._transport.close()

    def send_next(self) -> None:
        following = next(self._requests, None)
        if following is None:
            if not self._finished.done():
                self._finished.set_result(None)
            return
        self._parser = httptools.HttpResponseParser(self)
        self._sent_at = time.perf_counter()
        self._transport.write(following)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        load, status = self._load, self._parser.get_status_code()
        load.statuses[status] = load.statuses.get(status, 0) + 1
        load.latencies.append(now - self._sent_at)
        load.ended_at = now
        body = b"".join(self._body)
        self._body.clear()
        if self._on_answer is not None:
            self._on_answer(status, body)
        self.send_next()
