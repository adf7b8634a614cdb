"""The server's patience and appetite, over real sockets."""

import asyncio
import contextlib
import socket
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from shared import problems, server, slow_clients
from shared.server import BodyLimit, Guard, Server, configured

LIMIT = BodyLimit(size=1000, seconds=1.0)
CHUNKED = "POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"


async def echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def ignore(request: Request) -> Response:
    return PlainTextResponse("not read")


async def endless(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_536
            await asyncio.sleep(0)

    return StreamingResponse(pieces())


async def swallow(request: Request) -> Response:
    try:
        await request.body()
    except Exception:
        return PlainTextResponse("swallowed")
    return PlainTextResponse("read")


@asynccontextmanager
async def served(app: object) -> AsyncIterator[int]:
    """Serve in this loop, on a free port."""
    config = configured(app)  # type: ignore[arg-type]
    config.lifespan = "off"
    running = Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(running.serve(sockets=[listener]))
        while not running.started:
            await asyncio.sleep(0.001)
        try:
            yield listener.getsockname()[1]
        finally:
            running.should_exit = True
            await task


def guarded() -> Guard:
    app = FastAPI(
        routes=[
            Route("/echo", echo, methods=["POST", "GET"]),
            Route("/large/echo", echo, methods=["POST"]),
            Route("/ignore", ignore, methods=["POST"]),
            Route("/endless", endless),
            Route("/swallow", swallow, methods=["POST"]),
        ]
    )
    problems.install(app)
    return Guard(app, limit=LIMIT, larger={"/large": BodyLimit(size=5_000_000, seconds=1.0)})


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """A served app whose patience is short enough for a test."""
    monkeypatch.setattr(server, "IDLE", 0.2)
    monkeypatch.setattr(slow_clients, "PATIENCE", 0.2)
    monkeypatch.setattr(slow_clients, "WRITING_PATIENCE", 0.2)
    monkeypatch.setattr(slow_clients, "_LOOK_EVERY", 0.05)
    async with served(guarded()) as port:
        yield port


async def exchange(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Send the pieces and return everything until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = bytearray()

    async def listen() -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65_536):
                received.extend(piece)

    listening = asyncio.create_task(listen())
    try:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
        async with asyncio.timeout(3):
            await listening
    finally:
        listening.cancel()
        writer.close()
    return bytes(received)


def post(path: str, body: bytes = b"", *, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


async def test_a_body_in_measure_passes(port: int) -> None:
    answer = await exchange(port, post("/echo", b"x" * 1000))

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"1000")


async def test_a_body_that_says_it_is_too_large_is_refused_unread(port: int) -> None:
    answer = await exchange(port, post("/echo", length=1001))

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in answer
    assert b'"code":"too_large"' in answer


async def test_a_body_that_does_not_say_how_large_it_is_is_counted(port: int) -> None:
    head = CHUNKED.format("/echo").encode()
    chunk = b"190\r\n" + b"x" * 400 + b"\r\n"

    fitting = await exchange(port, head, chunk, chunk, b"0\r\n\r\n")
    too_large = await exchange(port, head, chunk, chunk, chunk)

    assert fitting.endswith(b"800")
    assert too_large.startswith(b"HTTP/1.1 413")
    assert too_large.count(b"HTTP/1.1") == 1


async def test_an_app_that_swallows_the_refusal_cannot_answer_twice(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    head = CHUNKED.format("/swallow").encode()
    answer = await exchange(port, head, b"800\r\n" + b"x" * 2048 + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"swallowed" not in answer
    assert caplog.records == []


async def test_some_paths_may_take_more(port: int) -> None:
    answer = await exchange(port, post("/large/echo", b"x" * 4_000_000))

    assert answer.endswith(b"4000000")


async def test_the_answer_reaches_a_client_that_is_still_writing(port: int) -> None:
    def talk_first_and_listen_afterwards() -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(post("/echo", b"x" * 7_500_000))
            return client.recv(65_536)

    answer = await asyncio.to_thread(talk_first_and_listen_afterwards)

    assert answer.startswith(b"HTTP/1.1 413")


async def test_a_body_that_stops_is_given_up(port: int) -> None:
    began = time.monotonic()
    answer = await exchange(port, post("/echo", b"x" * 10, length=100))

    assert answer.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 2.5


async def test_a_body_that_trickles_is_given_up(port: int) -> None:
    began = time.monotonic()
    drops = [b"x"] * 200
    answer = await exchange(port, post("/echo", length=1000), *drops, pause=0.05)

    assert answer.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 6


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"GET /", post("/ignore", b"x", length=100)]
)
async def test_a_connection_that_says_nothing_more_is_closed(port: int, sent: bytes) -> None:
    began = time.monotonic()
    await exchange(port, sent)

    assert time.monotonic() - began < 1.5


async def test_headers_that_trickle_are_given_up(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n")
    closed = asyncio.create_task(reader.read())
    async with asyncio.timeout(2):
        while not closed.done():
            writer.write(b"X-More: 1\r\n")
            await asyncio.sleep(0.05)
    writer.close()

    assert closed.done()


async def test_a_head_without_end_is_refused(port: int) -> None:
    answer = await exchange(port, b"GET / HTTP/1.1\r\n", b"X-A: " + b"a" * 70_000)

    assert answer.startswith(b"HTTP/1.1 431")


async def test_a_client_that_reads_nothing_is_cut(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.sleep(0.6)
    try:
        async with asyncio.timeout(2):
            while await reader.read(1 << 20):
                pass
    except ConnectionError:
        pass
    writer.close()

    assert reader.at_eof() or reader.exception() is not None


async def test_a_kept_connection_serves_again_and_again(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for _ in range(5):
        writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
        head = await reader.readuntil(b"\r\n\r\n")
        answers.append((head[:12], await reader.readexactly(1)))
        # Longer than the patience for headers: idle between requests is not slow.
        await asyncio.sleep(0.3)
    writer.close()

    assert answers == [(b"HTTP/1.1 200", b"2")] * 5


async def test_no_server_header(port: int) -> None:
    answer = await exchange(port, post("/echo"))

    assert b"\r\nserver:" not in answer.lower()


async def test_the_guard_is_cheap_where_it_matters() -> None:
    """A generous ceiling against accidents; the figure itself is read in the benchmarks."""

    async def app(scope: object, receive: Callable[[], object], send: object) -> None:
        await receive()  # type: ignore[misc]

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: object) -> None:
        pass

    scope = {
        "type": "http",
        "path": "/webhooks/telegram/x",
        "headers": [(b"host", b"x")] * 8 + [(b"content-length", b"2")],
    }
    guard = Guard(app)
    rounds = []
    for _ in range(9):
        began = time.perf_counter()
        for _ in range(500):
            await guard(scope, receive, send)
        rounds.append((time.perf_counter() - began) / 500)

    assert statistics.median(rounds) < 100e-6
