"""A platform that says yes at once: the far end of the sending benchmarks.

Answers every POST with one fixed `sendMessage` success; any GET with the number of POSTs so far and
the wall-clock times of the first and the last one, and a GET of /reset begins to count anew.
`python -m tests.bench.stub --port 0` prints one JSON line with its port and serves until stopped.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, cast

import httptools
import uvloop

_MESSAGE = {
    "message_id": 4711,
    "from": {"id": 42, "is_bot": True, "first_name": "Aurora", "username": "aurora_bot"},
    "chat": {"id": 1001, "first_name": "Ada", "type": "private"},
    "date": 1_790_000_000,
    "text": "The autumn blend is here.",
}
_BODY = json.dumps({"ok": True, "result": _MESSAGE}).encode()
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: stub\r\nContent-Type: application/json\r\n"
    b"Connection: keep-alive\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


class Counter:
    """How many POSTs have been answered, and since when."""

    def __init__(self) -> None:
        self.posts = 0
        self.first_at = 0.0
        self.last_at = 0.0

    def count(self) -> None:
        self.last_at = time.time()
        if not self.posts:
            self.first_at = self.last_at
        self.posts += 1

    def reset(self) -> None:
        """Count anew."""
        self.posts, self.first_at, self.last_at = 0, 0.0, 0.0

    def told(self) -> bytes:
        """Say what was counted, as JSON."""
        counted = {"posts": self.posts, "first_at": self.first_at, "last_at": self.last_at}
        return json.dumps(counted).encode()


class StubConnection(asyncio.Protocol):
    """One client; requests are answered when their last byte has come."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.close()

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"POST":
            self._counter.count()
            self._transport.write(_ANSWER)
            self.on_post()
            return
        body = self.answer_to(self._url)
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )

    def on_post(self) -> None:
        """Do nothing more; a stub that keeps what was posted does it here."""

    def answer_to(self, path: bytes) -> bytes:
        """Answer a GET."""
        body = self._counter.told()
        if path == b"/reset":
            self._counter.reset()
        return body


async def start_stub(
    port: int = 0,
    counter: Counter | None = None,
    connection: Callable[[Any], StubConnection] = StubConnection,
) -> tuple[asyncio.Server, int]:
    """Listen on loopback; return the server and its port."""
    counting = counter or Counter()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: connection(counting), "127.0.0.1", port, backlog=1_024
    )
    return server, int(server.sockets[0].getsockname()[1])


def main(counter: Counter, connection: Callable[[Any], StubConnection]) -> None:
    """Print the port, and serve until stopped."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=0)
    uvloop.run(_serve(options.parse_args().port, counter, connection))


async def _serve(port: int, counter: Counter, connection: Callable[[Any], StubConnection]) -> None:
    server, port = await start_stub(port, counter, connection)
    print(json.dumps({"port": port}), flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    main(Counter(), StubConnection)
