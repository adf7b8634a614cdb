"""What a caller of the sending client may rely on: one try, cut on cancel, no secret in a text."""

import asyncio
import socket
import time
from typing import Any

import pytest

from shared import clock
from shared.http import FilePart, Lost, NotSent, SendingClient, StartedTooLate, multipart
from shared.http.request import prepare
from shared.security.addresses import AddressPolicy
from tests.shared.fault_proxy import OK, Fault, Wire, faulty_wire
from tests.shared.test_http_faults import answer, client_for

HOLD = Fault(answer=b"", then="hang")
KEEP = Fault(then="keep")


def url(wire: Wire, path: str = "/send") -> str:
    return f"http://127.0.0.1:{wire.port}{path}"


async def test_bytes_on_the_wire_are_exactly_these() -> None:
    prepared = prepare("https://example.com:8443/a/b?c=d", {"Content-Type": "text/plain"})

    assert prepared.head == (
        b"POST /a/b?c=d HTTP/1.1\r\nHost: example.com:8443\r\nUser-Agent: Permesso\r\n"
        b"Accept-Encoding: identity\r\nContent-Type: text/plain\r\nContent-Length: "
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"X": "a\r\nEvil: 1"},
        {"X": "a\nb"},
        {"X\r\nEvil": "1"},
        {"X Y": "1"},
        {"": "1"},
        {"X": "a\x00b"},
        {"X": "…"},
        {"Host": "other"},
        {"content-length": "5"},
        {"Transfer-Encoding": "chunked"},
        {"Connection": "close"},
    ],
)
def test_no_header_breaks_out_of_its_line(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        prepare("https://example.com/", headers)


@pytest.mark.parametrize("method", ["GET /evil HTTP/1.1\r\nX:", "", "PO ST"])
def test_no_method_breaks_out_of_its_word(method: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        prepare("https://example.com/", {}, method=method)


async def test_a_body_in_pieces_arrives_whole() -> None:
    async with faulty_wire(KEEP) as wire:
        client = client_for(wire.port)

        response = await client.post(
            url(wire), headers={}, body=[b"one", b"", b"x" * 300_000, b"two"]
        )

        assert response.status == 200
        assert response.body == b'{"ok":true}'
        assert wire.platform.received == [b"one" + b"x" * 300_000 + b"two"]
        await client.close()


async def test_headers_are_found_in_any_spelling() -> None:
    late = answer("429 Too Many Requests", "{}", "RETRY-after: 7", "X-One: 1")
    async with faulty_wire(Fault(answer=late)) as wire:
        client = client_for(wire.port)

        response = await client.post(url(wire), headers={})

        assert response.header("Retry-After") == "7"
        assert response.header("missing") is None
        assert response.headers == {"retry-after": "7", "x-one": "1", "content-length": "2"}
        await client.close()


async def test_connections_are_kept_and_shared() -> None:
    async with faulty_wire(KEEP) as wire:
        client = client_for(wire.port, max_connections=3)

        async with asyncio.TaskGroup() as group:
            for number in range(60):
                group.create_task(client.post(url(wire), headers={}, body=b"%d" % number))

        assert sorted(map(int, wire.platform.received)) == list(range(60))
        assert wire.proxy.connections == 3
        await client.close()


@pytest.mark.parametrize(
    "closing",
    [
        answer("200 OK", "{}", "Connection: close"),
        OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
        OK + OK,
        OK + b"HTTP/1.1 2",
        OK + b"garbage",
    ],
)
async def test_a_connection_with_anything_odd_is_not_used_again(closing: bytes) -> None:
    """An answer that was not asked for must never become the answer to the next request."""
    async with faulty_wire(Fault(answer=closing, then="keep"), KEEP) as wire:
        client = client_for(wire.port)

        assert (await client.post(url(wire), headers={}, body=b"1")).status == 200
        assert (await client.post(url(wire), headers={}, body=b"2")).body == b'{"ok":true}'

        assert wire.proxy.connections == 2
        await client.close()


async def test_a_cancelled_request_is_cut_off_and_never_sent_later() -> None:
    async with faulty_wire(Fault(passes="head", then="hang")) as wire:
        client = client_for(wire.port)
        sending = asyncio.create_task(client.post(url(wire), headers={}, body=b"x" * 9_000_000))
        while not wire.proxy.exchanges:
            await asyncio.sleep(0.001)

        (connection,) = next(iter(client._pools.values()))._connections

        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

        async with asyncio.timeout(3):
            await connection.closed
        await client.close()
    assert wire.platform.received == []


async def test_a_cancel_that_comes_with_the_answer_leaves_the_connection_to_the_next() -> None:
    """The connection has a new owner by then; cutting it would lose somebody else's request."""
    async with faulty_wire(KEEP) as wire:
        client = client_for(wire.port, max_connections=1)
        prepared = client.prepare(url(wire), {})
        await client.send(prepared, b"0")
        connection = client._pools[prepared.origin]._idle[0]
        first = asyncio.create_task(client.send(prepared, b"1"))
        await asyncio.sleep(0)
        second = asyncio.create_task(client.send(prepared, b"2"))
        await asyncio.sleep(0)

        connection.data_received(OK)  # The answer is here, its task has not run yet …
        first.cancel()  # … and never will.
        with pytest.raises(asyncio.CancelledError):
            await first

        assert (await second).status == 200
        await client.close()


async def test_waiters_are_served_although_others_give_up() -> None:
    async with faulty_wire(Fault(answer=OK, then="keep")) as wire:
        client = client_for(wire.port, max_connections=1)
        prepared = client.prepare(url(wire), {})
        sendings = [asyncio.create_task(client.send(prepared, b"%d" % n)) for n in range(9)]
        await asyncio.sleep(0)

        for given_up in sendings[1::2]:
            given_up.cancel()
        done = await asyncio.gather(*sendings, return_exceptions=True)

        assert [getattr(each, "status", None) for each in done[0::2]] == [200] * 5
        assert {type(each) for each in done[1::2]} == {asyncio.CancelledError}
        assert wire.proxy.connections == 1
        await client.close()


async def test_a_waiter_cancelled_in_the_moment_of_its_turn_passes_it_on() -> None:
    async with faulty_wire(KEEP, HOLD, KEEP) as wire:
        client = client_for(wire.port, max_connections=1)
        prepared = client.prepare(url(wire), {})
        await client.send(prepared)
        connection = client._pools[prepared.origin]._idle[0]
        first, second, third = (asyncio.create_task(client.send(prepared)) for _ in range(3))
        await asyncio.sleep(0)

        connection.data_received(OK)  # The connection is the second's now, but it has not run yet …
        second.cancel()  # … and never will.

        async with asyncio.timeout(3):
            assert (await first).status == 200
            with pytest.raises(asyncio.CancelledError):
                await second
            while connection._waiting is None:
                await asyncio.sleep(0)
            connection.data_received(OK)
            assert (await third).status == 200
        await client.close()


async def test_waiters_are_served_by_a_new_connection_when_the_old_one_breaks() -> None:
    async with faulty_wire(Fault(answer=b"", then="reset"), KEEP) as wire:
        client = client_for(wire.port, max_connections=1)
        prepared = client.prepare(url(wire), {})

        done = await asyncio.gather(
            *(client.send(prepared, b"%d" % n) for n in range(4)), return_exceptions=True
        )

        assert isinstance(done[0], Lost)
        assert [getattr(each, "status", None) for each in done[1:]] == [200] * 3
        await client.close()


async def test_idle_connections_are_closed_by_us_first() -> None:
    async with faulty_wire(KEEP) as wire:
        client = client_for(wire.port, idle_seconds=0.05)
        await client.post(url(wire), headers={})

        async with asyncio.timeout(3):
            await wire.proxy.ended.wait()

        assert (await client.post(url(wire), headers={})).status == 200
        assert wire.proxy.connections == 2
        await client.close()


async def test_a_long_answer_is_cut_where_only_the_status_matters() -> None:
    async with faulty_wire(Fault(answer=answer("200 OK", "x" * 900_000))) as wire:
        client = client_for(wire.port, answer_limit=20_000, cut_long_answers=True)

        response = await client.post(url(wire), headers={})

        assert (response.status, len(response.body), response.cut) == (200, 20_000, True)
        await client.close()


async def test_an_answer_lost_halfway_still_tells_its_status() -> None:
    async with faulty_wire(Fault(answer=OK[:-3])) as wire:
        client = client_for(wire.port)

        with pytest.raises(Lost) as lost:
            await client.post(url(wire), headers={})

        assert lost.value.status == 200
        await client.close()


async def test_no_text_of_an_error_names_the_url() -> None:
    async with faulty_wire(Fault(answer=b"")) as wire:
        client = client_for(wire.port)
        texts = []
        for target in (
            url(wire, "/bot42:SECRET/x"),
            "http://127.0.0.1:1/bot42:SECRET",
            "ftp://SECRET",
        ):
            with pytest.raises((Lost, NotSent)) as error:
                await client.post(target, headers={})
            texts += [str(error.value), repr(error.value), str(error.value.__cause__)]

        assert not [text for text in texts if "SECRET" in text]
        assert "SECRET" not in repr(client.prepare(url(wire, "/bot42:SECRET/x"), {}))
        await client.close()


async def test_a_closed_client_sends_nothing_more() -> None:
    async with faulty_wire(HOLD) as wire:
        client = client_for(wire.port, max_connections=1)
        flying, waiting = (
            asyncio.create_task(client.post(url(wire), headers={})) for _ in range(2)
        )
        await wire.platform.first_came.wait()

        await client.close()

        with pytest.raises(Lost):
            await flying
        with pytest.raises(NotSent, match="client_closed"):
            await waiting
        with pytest.raises(NotSent, match="client_closed"):
            await client.post(url(wire), headers={})


async def test_a_deadline_that_passes_just_before_the_write_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process stood still between taking the connection and writing to it."""
    async with faulty_wire(KEEP) as wire:
        client = client_for(wire.port)
        prepared = client.prepare(url(wire), {})
        await client.send(prepared)
        moments = iter([1_000.0])
        monkeypatch.setattr(clock, "ticks", lambda: next(moments))

        with pytest.raises(StartedTooLate):
            await client.send(prepared, start_before=999.9)

        assert len(wire.platform.received) == 1
        await client.close()


async def test_pools_of_quiet_hosts_are_given_up() -> None:
    async with faulty_wire(KEEP) as one, faulty_wire(KEEP) as other:
        addresses = AddressPolicy([f"127.0.0.1:{one.port}", f"127.0.0.1:{other.port}"])
        client = SendingClient(addresses, idle_seconds=0.02)
        await client.post(url(one), headers={})
        async with asyncio.timeout(3):
            await one.proxy.ended.wait()

        await client.post(url(other), headers={})

        assert [origin.port for origin in client._pools] == [other.port]
        await client.close()


async def test_time_outs_of_different_lengths_share_one_timer() -> None:
    async with faulty_wire(KEEP, HOLD) as wire:
        client = client_for(wire.port)
        await client.post(url(wire), headers={}, timeout=60)
        began = time.monotonic()

        with pytest.raises(Lost, match="answer_timeout"):
            await client.post(url(wire), headers={}, timeout=0.1)

        assert 0.09 < time.monotonic() - began < 2
        await client.close()


def names(monkeypatch: pytest.MonkeyPatch, *ips: str) -> None:
    """Let the system's resolver answer every name with these."""

    def getaddrinfo(host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        if not ips:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ips]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


async def test_the_next_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    async with faulty_wire(KEEP) as wire:
        names(monkeypatch, "127.0.0.2", "127.0.0.1")  # Nobody listens on the first.
        client = SendingClient(AddressPolicy([f"shop.example:{wire.port}"]))

        response = await client.post(f"http://shop.example:{wire.port}/", headers={})

        assert response.status == 200
        await client.close()


async def test_a_name_nobody_knows_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch)
    client = SendingClient(AddressPolicy())

    with pytest.raises(NotSent, match="resolve_failed"):
        await client.post("https://shop.example/", headers={})


async def test_a_form_carries_files_and_cannot_be_broken_by_names() -> None:
    file = FilePart("photo", 'a"\r\nX.jpg', b"\x00\xff", "image/jpeg")
    pieces, content_type = multipart({"chat_id": "1", 'n"\r\n': "è"}, [file])
    boundary = content_type.partition("boundary=")[2].encode()

    assert b"".join(pieces) == (
        b'--%b\r\nContent-Disposition: form-data; name="chat_id"\r\n\r\n1\r\n'
        b'--%b\r\nContent-Disposition: form-data; name="n%%22%%0D%%0A"\r\n\r\n\xc3\xa8\r\n'
        b'--%b\r\nContent-Disposition: form-data; name="photo"; filename="a%%22%%0D%%0AX.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n\x00\xff\r\n--%b--\r\n" % ((boundary,) * 4)
    )
    with pytest.raises(ValueError, match="content type"):
        multipart({}, [FilePart("a", "b", b"", "image/jpeg\r\nX: y")])
