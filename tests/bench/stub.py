"""A platform that says yes at once: the far end of the sending benchmarks.

Answers every POST with one fixed `sendMessage` success; any GET with the number of POSTs so far and
the wall-clock times of the first and the last one, and a GET of /reset begins to count anew.
`python -m tests.bench.stub --port 0` prints one JSON line with its port and serves until stopped.
"""

import argparse
import asyncio
import json
import time
from typing import cast

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
            return
        body = json.dumps(vars(self._counter)).encode()
        if self._url == b"/reset":
            vars(self._counter).update(vars(Counter()))
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )


async def start_stub(port: int = 0) -> tuple[asyncio.Server, int]:
    """Listen on loopback; return the server and its port."""
    counter = Counter()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: StubConnection(counter), "127.0.0.1", port, backlog=1_024
    )
    return server, int(server.sockets[0].getsockname()[1])


async def _serve(port: int) -> None:
    server, port = await start_stub(port)
    print(json.dumps({"port": port}), flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=0)
    uvloop.run(_serve(options.parse_args().port))
