"""Calls between services: what is repeated, what is given up, and how each failure is called."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from shared.clients.base import ServiceClient, ServiceRefused, ServiceUnavailable
from shared.contracts.audiences import (
    AudienceCount,
)
from shared.security.service_tokens import Signer, TokenRefused, Verifier

SIGNER = Signer("gateway", bytes(range(32)))
GOOD = b'{"eligible": 3, "excluded": {}}'
ANSWER = AudienceCount(eligible=3, excluded={})

Manner = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(status: str, body: bytes = b"{}", kind: str = "application/json") -> Manner:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)

    return answer


async def hanging_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The request was read, and its answer is lost."""


async def half_an_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer nothing until the other side goes away."""
    await reader.read()


@dataclass
class Service:
    """A service that answers each request in the next of its manners, and the last one for ever."""

    manners: list[Manner]
    url: str = ""
    requests: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if b"th:" in line), 0
            )
            body = await reader.readexactly(length)
            self.requests.append(head + body)
            manner = self.manners.pop(0) if len(self.manners) > 1 else self.manners[0]
            await manner(reader, writer)
        finally:
            writer.close()


@asynccontextmanager
async def service(*manners: Manner) -> AsyncIterator[Service]:
    made = Service(list(manners))
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made
    server.close()


@asynccontextmanager
async def client(url: str, *, seconds: float = 5.0) -> AsyncIterator[ServiceClient]:
    made = ServiceClient(url, SIGNER, audience="consent", timeout=seconds)
    yield made
    await made.close()


async def ask(made: ServiceClient, **more: object) -> AudienceCount:
    return await made.ask(AudienceCount, "POST", "/v1/x", body={"a": 1}, **more)  # type: ignore[arg-type]


@pytest.fixture
def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


async def test_an_answer_is_the_contract_and_every_request_is_signed() -> None:
    async with service(answering("200 OK", GOOD)) as remote, client(remote.url) as made:
        answer = await made.ask(
            AudienceCount, "POST", "/v1/x", body={"a": 1}, params={"b": "ü", "c": None}
        )
    head, _, body = remote.requests[0].partition(b"\r\n\r\n")
    target = head.split(b" ")[1].decode()
    header = next(
        line.partition(": ")[2]
        for line in head.decode().split("\r\n")
        if line.lower().startswith("authorization")
    )
    verifier = Verifier({"gateway": SIGNER.public_key}, "consent")

    assert answer == ANSWER
    assert target == "/v1/x?b=%C3%BC"
    assert verifier.verify(header, method="POST", path=target, body=body) == "gateway"
    with pytest.raises(TokenRefused):
        verifier.verify(header, method="POST", path=target, body=body + b" ")


@pytest.mark.parametrize(
    "first",
    [hanging_up, half_an_answer, answering("503 Unavailable"), answering("502 Bad Gateway")],
)
async def test_a_lost_answer_is_asked_for_again(first: Manner) -> None:
    good = answering("200 OK", GOOD)
    async with service(first, good) as remote, client(remote.url) as made:
        answer = await ask(made)

    assert answer == ANSWER
    assert len(remote.requests) == 2
    assert remote.requests[0].splitlines()[-1] == remote.requests[1].splitlines()[-1]


@pytest.mark.parametrize("first", [hanging_up, half_an_answer, answering("503 Unavailable")])
async def test_what_must_not_be_repeated_is_not(first: Manner) -> None:
    good = answering("200 OK", GOOD)
    async with service(first, good) as remote, client(remote.url) as made:
        with pytest.raises(ServiceUnavailable) as unavailable:
            await made.send("POST", "/v1/x", body=b"1", repeatable=False)

    assert len(remote.requests) == 1
    assert unavailable.value.sent


async def test_a_refused_connection_was_surely_not_sent(closed_port: str) -> None:
    async with client(closed_port) as made:
        with pytest.raises(ServiceUnavailable) as unavailable:
            await made.send("POST", "/v1/x", body=b"1", repeatable=False)

    assert not unavailable.value.sent
    assert unavailable.value.service == "consent"


async def test_a_service_that_comes_up_in_time_is_reached(closed_port: str) -> None:
    remote = Service([answering("200 OK", GOOD)])
    async with client(closed_port) as made:
        asking = asyncio.create_task(ask(made))
        await asyncio.sleep(0)
        port = int(closed_port.rpartition(":")[2])
        server = await asyncio.start_server(remote.serve, "127.0.0.1", port)
        answer = await asking
        server.close()

    assert answer == ANSWER


async def test_repeats_come_to_an_end() -> None:
    async with service(hanging_up) as remote, client(remote.url) as made:
        with pytest.raises(ServiceUnavailable) as unavailable:
            await ask(made)

    assert unavailable.value.sent
    assert len(remote.requests) == 4


async def test_a_call_ends_in_time_with_all_its_repeats() -> None:
    started = asyncio.get_running_loop().time()
    async with service(hanging_up, silent) as remote, client(remote.url) as made:
        with pytest.raises(ServiceUnavailable) as unavailable:
            await ask(made, within=0.3)
    took = asyncio.get_running_loop().time() - started

    assert unavailable.value.sent
    assert 0.25 < took < 2.0


async def test_a_no_is_told_on_with_the_services_own_words() -> None:
    problem = (
        b'{"status": 422, "code": "invalid", "detail": "Some fields are wrong.",'
        b' "errors": [{"pointer": "/a", "message": "no"}]}'
    )
    no = answering("422 Unprocessable", problem, "application/problem+json")
    async with service(no) as remote, client(remote.url) as made:
        with pytest.raises(ServiceRefused) as refused:
            await ask(made)

    assert len(remote.requests) == 1
    assert (refused.value.status, refused.value.code) == (422, "invalid")
    assert refused.value.detail == "Some fields are wrong."
    assert refused.value.errors == [{"pointer": "/a", "message": "no"}]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null"])
async def test_a_no_without_words_is_a_no(body: bytes) -> None:
    async with service(answering("404 Not Found", body)) as remote, client(remote.url) as made:
        with pytest.raises(ServiceRefused) as refused:
            await ask(made)

    assert (refused.value.status, refused.value.code) == (404, "http_404")
    assert refused.value.errors == []


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"eligible": "many"}'])
async def test_an_answer_that_is_no_contract_is_not_believed(body: bytes) -> None:
    async with service(answering("200 OK", body)) as remote, client(remote.url) as made:
        with pytest.raises(ServiceUnavailable) as unavailable:
            await ask(made)

    assert unavailable.value.sent


async def test_a_redirect_is_not_followed() -> None:
    async with service(answering("302 Found")) as remote, client(remote.url) as made:
        with pytest.raises(ServiceRefused) as refused:
            await ask(made)

    assert refused.value.code == "http_302"
    assert len(remote.requests) == 1


async def test_a_stream_is_read_piece_by_piece_and_a_refused_one_is_a_problem() -> None:
    let_go = asyncio.Event()

    async def flowing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await let_go.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    pieces = []
    gone = answering("404 Not Found", b'{"code": "gone"}')
    async with service(flowing, gone) as remote, client(remote.url, seconds=0.5) as made:
        async with made.stream("GET", "/v1/stream") as response:
            async for piece in response.aiter_bytes():
                pieces.append(piece)
                let_go.set()
        with pytest.raises(ServiceRefused) as refused:
            async with made.stream("GET", "/v1/stream"):
                pieces.append(b"never")

    assert pieces == [b"one", b"two"]
    assert refused.value.code == "gone"


async def test_a_cancelled_call_is_cancelled_and_not_repeated() -> None:
    arrived = asyncio.Event()

    async def arriving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await silent(reader, writer)

    async with service(arriving) as remote, client(remote.url) as made:
        asking = asyncio.create_task(ask(made))
        await arrived.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    assert len(remote.requests) == 1


async def test_the_environments_proxies_are_not_used(
    monkeypatch: pytest.MonkeyPatch, closed_port: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", closed_port)
    async with service(answering("200 OK", GOOD)) as remote, client(remote.url) as made:
        answer = await ask(made)

    assert answer == ANSWER
