"""The table of fault points: what the client says, against what the platform received."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from shared import clock
from shared.http import Lost, NotSent, SendingClient, StartedTooLate
from shared.http import connection as connection_module
from shared.security.addresses import AddressPolicy
from tests.shared.fault_proxy import (
    OK,
    Fault,
    Wire,
    black_hole,
    close,
    closed_port,
    faulty_wire,
    reset,
)

SHORT = 0.1
JSON = {"Content-Type": "application/json"}
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine on a loop of each kind."""

    def on_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            return runner.run(coroutine)

    return on_loop


def client_for(port: int, **options: Any) -> SendingClient:
    return SendingClient(AddressPolicy([f"127.0.0.1:{port}"]), **options)


async def outcome(sending: Awaitable[Any]) -> str:
    try:
        return f"answer:{(await sending).status}"
    except StartedTooLate:
        return "started_too_late"
    except NotSent as error:
        return f"not_sent:{error.code}"
    except Lost as error:
        return f"lost:{error.code}"


async def post(client: SendingClient, port: int, **options: Any) -> str:
    options = {"body": b'{"text":"hello"}', "timeout": 5.0, **options}
    return await outcome(client.post(f"http://127.0.0.1:{port}/send", headers=JSON, **options))


def answer(status: str, body: str = "{}", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def head(*headers: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode()


LONG = answer("200 OK", "x" * 400_000)
# Where the request stopped before the platform had it whole: always Lost, since bytes had left.
CUT_REQUESTS = {
    f"{passes}, then {then}": (Fault(passes=passes, then=then), expected)  # type: ignore[arg-type]
    for passes in ("head", "half_body")
    for then, expected in (
        ("close", "lost:connection_"),
        ("reset", "lost:connection_reset"),
        ("hang", "lost:answer_timeout"),
    )
}
# Where the platform had the request, and its answer was lost at one point or another.
_POINTS = {
    "no answer": b"",
    "half a status line": b"HTTP/1.1 2",
    "a status line": b"HTTP/1.1 200 OK\r\n",
    "half a header": b"HTTP/1.1 200 OK\r\nContent-Len",
    "headers without their end": b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n",
    "headers without the body": head("Content-Length: 11"),
    "half the body": OK[:-5],
    "half a chunk": head("Transfer-Encoding: chunked") + b"b\r\n{",
    "chunks without the last": head("Transfer-Encoding: chunked") + b"2\r\n{}\r\n",
    "a 100 alone": b"HTTP/1.1 100 Continue\r\n\r\n",
    "a 503 cut in its body": answer("503 Service Unavailable", "x" * 50)[:-20],
    "a 429 cut in its body": answer("429 Too Many Requests", "x" * 50)[:-20],
}
CUT_ANSWERS = {
    f"{name}, then {then}": (Fault(answer=sent, then=then), expected)  # type: ignore[arg-type]
    for name, sent in _POINTS.items()
    for then, expected in (
        ("close", "lost:answer_cut" if sent else "lost:connection_closed"),
        ("reset", "lost:answer_cut|lost:connection_reset" if sent else "lost:connection_reset"),
        ("hang", "lost:answer_timeout"),
    )
}
CHUNKED = "Transfer-Encoding: chunked"
STRANGE_ANSWERS = {
    "garbage": (b"\x00\x01\x02 what?", "lost:answer_garbled"),
    "no HTTP": (b"220 smtp.example ESMTP\r\n", "lost:answer_garbled"),
    "status with letters": (b"HTTP/1.1 2OO OK\r\n\r\n", "lost:answer_garbled"),
    "header without colon": (head("nonsense") + b"{}", "lost:answer_garbled"),
    "two lengths": (head("Content-Length: 2", "Content-Length: 3") + b"{}", "lost:answer_garbled"),
    "negative length": (head("Content-Length: -2") + b"{}", "lost:answer_garbled"),
    "length and chunks": (head("Content-Length: 2", CHUNKED) + b"2\r\n", "lost:answer_garbled"),
    "bad chunk size": (head(CHUNKED) + b"zz\r\n{}\r\n0\r\n\r\n", "lost:answer_garbled"),
    "endless chunk size": (head(CHUNKED) + b"f" * 40 + b"\r\n", "lost:answer_garbled"),
    "chunk longer than said": (head(CHUNKED) + b"1\r\n{}\r\n0\r\n\r\n", "lost:answer_garbled"),
    "another protocol": (
        head("Upgrade: x", "Connection: upgrade").replace(b"200 OK", b"101 S"),
        "lost:",
    ),
    "endless headers": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000, "lost:answer_too_large"),
    "endless 1xx": (b"HTTP/1.1 102 Wait\r\n\r\n" * 20_000, "lost:answer_too_large"),
    "too long a body": (LONG, "lost:answer_too_large"),
    "too long in chunks": (
        head(CHUNKED)
        + b"4000\r\n" * 1
        + b"x" * 16_384
        + b"\r\n"
        + (b"4000\r\n" + b"x" * 16_384 + b"\r\n") * 20,
        "lost:answer_too_large",
    ),
    "body until the end": (head("Server: old") + b'{"ok":true}', "answer:200"),
    "HTTP/1.0": (OK.replace(b"HTTP/1.1", b"HTTP/1.0"), "answer:200"),
    "after a 100": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, "answer:200"),
    "after early hints": (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK, "answer:200"),
    "in chunks": (
        head(CHUNKED) + b'5\r\n{"ok"\r\n6;x=1\r\n:true}\r\n0\r\nT: 1\r\n\r\n',
        "answer:200",
    ),
    "two answers": (OK + OK, "answer:200"),
    "an answer and garbage": (OK + b"garbage", "answer:200"),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", "answer:204"),
    "a redirect": (answer("302 Found", "", "Location: http://127.0.0.1/"), "answer:302"),
    "a 304 with a length": (
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        "answer:304",
    ),
    **{
        f"a {status}": (
            answer(f"{status} Status", '{"ok":false}', "Retry-After: 3"),
            f"answer:{status}",
        )
        for status in (400, 401, 403, 404, 409, 413, 421, 429, 500, 502, 503, 504)
    },
}
TABLE = {
    **CUT_REQUESTS,
    **CUT_ANSWERS,
    **{name: (Fault(answer=sent), expected) for name, (sent, expected) in STRANGE_ANSWERS.items()},
    "nothing read, then close": (
        Fault(passes="nothing"),
        "lost:connection_|not_sent:connection_closed",
    ),
    "nothing read, then reset": (
        Fault(passes="nothing", then="reset"),
        "lost:connection_|not_sent:connection_closed",
    ),
    "nothing read, then hang": (Fault(passes="nothing", then="hang"), "lost:answer_timeout"),
    "slowly, but in time": (Fault(drip=0.0005), "answer:200"),
    "too slowly": (Fault(drip=SHORT / 10), "lost:answer_timeout"),
    "answered before the body": (
        Fault(passes="head", answer=answer("413 Too Large"), then="hang"),
        "answer:413",
    ),
    "well": (Fault(then="keep"), "answer:200"),
}


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 70


def hold(said: str, expected: str, wire: Wire) -> None:
    """The class is exact, and `not_sent` is never said of a request that arrived."""
    assert any(said.startswith(each) for each in expected.split("|")), said
    assert len(wire.platform.received) <= 1
    if said.startswith(("not_sent", "started_too_late")):
        assert wire.platform.received == []
    if said.startswith("answer:2"):
        assert len(wire.platform.received) == 1


@pytest.mark.parametrize("name", TABLE)
def test_each_fault_point_has_its_class(run: Run, name: str) -> None:
    fault, expected = TABLE[name]

    async def scenario() -> None:
        async with faulty_wire(fault) as wire:
            client = client_for(wire.port, answer_limit=200_000)
            body = b"x" * (4_000_000 if name == "answered before the body" else 40)

            timeout = SHORT if expected == "lost:answer_timeout" else 20

            said = await post(client, wire.port, body=body, timeout=timeout)

            hold(said, expected, wire)
            assert wire.proxy.connections == 1
            await client.close()

    run(scenario())


@pytest.mark.parametrize("passes", ["nothing", "head", "half_body"])
def test_a_long_body_stuck_in_the_wire_is_lost(run: Run, passes: Any) -> None:
    async def scenario() -> None:
        async with faulty_wire(Fault(passes=passes, then="hang")) as wire:
            client = client_for(wire.port)

            said = await post(client, wire.port, body=[b"x" * 8_000_000] * 2, timeout=SHORT)

            hold(said, "lost:answer_timeout", wire)
            assert wire.proxy.connections == 1
            await client.close()

    run(scenario())


def test_a_refused_connection_is_not_sent(run: Run) -> None:
    async def scenario() -> str:
        port = closed_port()
        return await post(client_for(port), port)

    assert run(scenario()) == "not_sent:connect_refused"


def test_a_connection_that_never_opens_is_not_sent(run: Run) -> None:
    async def scenario() -> tuple[str, str]:
        with black_hole() as port:
            client = client_for(port, connect_timeout=SHORT)
            patient = client_for(port)
            soon = clock.ticks() + SHORT
            return await post(client, port), await post(patient, port, start_before=soon)

    assert run(scenario()) == ("not_sent:connect_timeout", "started_too_late")


def test_the_start_deadline_is_looked_at_before_the_write(run: Run) -> None:
    async def scenario() -> None:
        async with faulty_wire(Fault(then="keep")) as wire:
            client = client_for(wire.port)
            assert await post(client, wire.port, start_before=clock.ticks() + 5) == "answer:200"

            said = await post(client, wire.port, start_before=clock.ticks() - 0.001)

            assert said == "started_too_late"
            assert len(wire.platform.received) == 1
            assert await post(client, wire.port) == "answer:200"
            assert wire.proxy.connections == 1
            await client.close()

    run(scenario())


@pytest.mark.parametrize(
    ("deadline", "expected"), [(SHORT, "started_too_late"), (None, "not_sent:pool_timeout")]
)
def test_waiting_for_a_connection_has_an_end(
    run: Run, deadline: float | None, expected: str
) -> None:
    async def scenario() -> None:
        async with faulty_wire(Fault(answer=b"", then="hang")) as wire:
            client = client_for(
                wire.port, max_connections=1, pool_timeout=SHORT if deadline is None else 30
            )
            first = asyncio.create_task(post(client, wire.port))
            await wire.platform.first_came.wait()

            start_before = None if deadline is None else clock.ticks() + deadline
            assert await post(client, wire.port, start_before=start_before) == expected

            assert len(wire.platform.received) == 1
            await client.close()
            assert (await first).startswith("lost:")

    run(scenario())


def test_a_timer_that_fires_early_is_no_other_outcome(run: Run) -> None:
    # uvloop rounds 10.4 ms to 10: the deadline that ended the waiting has not quite passed then.
    async def scenario() -> set[str]:
        async with faulty_wire(Fault(answer=b"", then="hang")) as wire:
            client = client_for(wire.port, max_connections=1)
            first = asyncio.create_task(post(client, wire.port))
            await wire.platform.first_came.wait()
            said = {
                await post(client, wire.port, start_before=clock.ticks() + 0.0104)
                for _ in range(20)
            }
            await client.close()
            await first
        return said

    assert run(scenario()) == {"started_too_late"}


def send_garbage(writer: asyncio.StreamWriter) -> None:
    writer.write(OK)
    writer.close()


@pytest.mark.parametrize("how", [close, reset, send_garbage])
def test_a_connection_that_died_at_rest_is_noticed(run: Run, how: Any) -> None:
    async def scenario() -> None:
        async with faulty_wire(Fault(then="keep")) as wire:
            client = client_for(wire.port)
            assert await post(client, wire.port) == "answer:200"
            await wire.proxy.drop_idle(how)

            assert await post(client, wire.port) == "answer:200"

            assert wire.proxy.connections == 2
            assert len(wire.platform.received) == 2
            await client.close()

    run(scenario())


class WireInThread:
    """A faulty wire on a loop of its own: it acts while the client's loop stands still."""

    def __enter__(self) -> "WireInThread":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._context = faulty_wire(Fault(then="keep"))
        self.wire = self.do(self._context.__aenter__())
        return self

    def __exit__(self, *error: object) -> None:
        self.do(self._context.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def do(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)


@pytest.mark.parametrize(
    ("asks_the_kernel", "expected"), [(True, "answer:200"), (False, "lost:connection_")]
)
@pytest.mark.parametrize("how", [close, reset])
def test_a_connection_that_dies_in_the_instant_of_the_write(
    run: Run, monkeypatch: pytest.MonkeyPatch, how: Any, asks_the_kernel: bool, expected: str
) -> None:
    """The end has come and the loop has not heard of it: the kernel knows; unasked, lost."""
    for name in ("_FRESH", "_HEARD"):
        monkeypatch.setattr(connection_module, name, -1.0 if asks_the_kernel else 60.0)

    async def scenario(far: WireInThread) -> None:
        client = client_for(far.wire.port)
        assert await post(client, far.wire.port) == "answer:200"
        far.do(far.wire.proxy.drop_idle(how))

        said = await post(client, far.wire.port)

        assert said.startswith(expected)
        assert len(far.wire.platform.received) == (2 if asks_the_kernel else 1)
        await client.close()

    with WireInThread() as far:
        run(scenario(far))
