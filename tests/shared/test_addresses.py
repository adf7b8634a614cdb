"""Nothing that leaves reaches a private address: many ways in, and a canary that stays silent."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from ipaddress import ip_address
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from shared.http import NotSent, SendingClient
from shared.security.addresses import AddressPolicy, ForbiddenAddress, find_ip, split_url
from tests.shared.ssrf_corpus import FORBIDDEN_IPS, PUBLIC_IPS, WAYS_IN

PRIVATE_ANSWERS = ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0"]
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@asynccontextmanager
async def canary() -> AsyncIterator[tuple[int, list[Any]]]:
    """Listen on every loopback address of both families; note who comes."""
    heard: list[Any] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(writer.get_extra_info("peername"))
        writer.close()
        await writer.wait_closed()

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(await asyncio.start_server(hear, "127.0.0.1", 0))
        port = server.sockets[0].getsockname()[1]
        with suppress(OSError):  # A machine without IPv6.
            await stack.enter_async_context(await asyncio.start_server(hear, "::1", port))
        yield port, heard


Resolve = Callable[[str, int], list[str]]


def resolver(answers: Resolve) -> Any:
    """Stand in for the system's resolver, as `socket.getaddrinfo`."""

    def getaddrinfo(host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        found = []
        for ip in answers(host, port):
            family = socket.AF_INET6 if ":" in ip else socket.AF_INET
            found.append((family, socket.SOCK_STREAM, 6, "", (ip, port)))
        return found

    return getaddrinfo


@pytest.mark.parametrize("ip", FORBIDDEN_IPS)
def test_no_private_address_is_dialled(ip: str) -> None:
    with pytest.raises(ForbiddenAddress):
        AddressPolicy().check("shop.example.com", 443, ip)


@pytest.mark.parametrize("ip", PUBLIC_IPS)
def test_public_addresses_are_dialled(ip: str) -> None:
    assert AddressPolicy().check("shop.example.com", 443, ip) is None


def test_the_corpus_is_long_enough() -> None:
    assert len(set(FORBIDDEN_IPS)) + len(set(WAYS_IN)) >= 200
    assert len(set(WAYS_IN)) >= 120


def needs_a_resolver(url: str) -> bool:
    try:
        return find_ip(split_url(url).host) is None
    except ForbiddenAddress:
        return False


@pytest.mark.parametrize("loop", LOOPS)
def test_nothing_of_the_corpus_reaches_the_canary(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client alone keeps out, though every name that anybody asks for is our own machine."""
    ours = ["127.0.0.1", "::1"]
    monkeypatch.setattr(socket, "getaddrinfo", resolver(lambda host, port: ours))

    async def scenario() -> None:
        async with canary() as (port, heard):
            client = SendingClient(AddressPolicy(), connect_timeout=20)
            for url in (way.replace("{port}", str(port)) for way in WAYS_IN):
                if loop == "uvloop" and needs_a_resolver(url):
                    continue  # It asks the system without Python, so nothing can stand in.
                with pytest.raises(NotSent, match="forbidden_address"):
                    await client.post(url, headers={})
            await client.close()

            assert heard == []

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(scenario())


def test_the_canary_hears_who_gets_through() -> None:
    async def scenario() -> None:
        async with canary() as (port, heard):
            client = SendingClient(AddressPolicy([f"127.0.0.1:{port}"]))
            with pytest.raises(Exception, match="connection_"):
                await client.post(f"http://127.0.0.1:{port}/", headers={})
            await client.close()

            assert len(heard) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("way", WAYS_IN)
def test_a_brand_is_told_why(way: str) -> None:
    url = way.replace("{port}", "8080")

    with pytest.raises(ForbiddenAddress) as error:
        AddressPolicy().check_url(url, https_only=False)

    assert error.value.reason
    assert url not in str(error.value)


@pytest.mark.parametrize("private", PRIVATE_ANSWERS)
async def test_a_name_that_resolves_to_us_is_not_dialled(
    monkeypatch: pytest.MonkeyPatch, private: str
) -> None:
    async with canary() as (port, heard):
        client = SendingClient(AddressPolicy())
        monkeypatch.setattr(socket, "getaddrinfo", resolver(lambda host, _: [private]))

        with pytest.raises(NotSent, match="forbidden_address"):
            await client.post(f"http://evil.example.com:{port}/", headers={})

        assert heard == []


@pytest.mark.parametrize("private", PRIVATE_ANSWERS)
async def test_one_private_answer_among_public_ones_is_enough(
    monkeypatch: pytest.MonkeyPatch, private: str
) -> None:
    async with canary() as (port, heard):
        client = SendingClient(AddressPolicy())
        answers = ["192.0.2.7", "2001:4860:4860::8888", "8.8.8.8", private]
        monkeypatch.setattr(socket, "getaddrinfo", resolver(lambda host, _: answers[1:]))

        with pytest.raises(NotSent, match="forbidden_address"):
            await client.post(f"http://evil.example.com:{port}/", headers={})

        assert heard == []


async def test_a_name_that_changes_its_mind_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answer is public and passes a check; from the second on it is our own machine."""
    asked: list[str] = []

    def flipping(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["8.8.8.8"] if len(asked) == 1 else ["127.0.0.1"]

    async with canary() as (port, heard):
        monkeypatch.setattr(socket, "getaddrinfo", resolver(flipping))
        policy = AddressPolicy()
        policy.check_url("https://evil.example.com/hook")
        first = socket.getaddrinfo("evil.example.com", 443)[0][4][0]
        policy.check("evil.example.com", 443, str(first))
        client = SendingClient(policy, connect_timeout=20)

        for _ in range(3):
            with pytest.raises(NotSent, match="forbidden_address"):
                await client.post(f"http://evil.example.com:{port}/", headers={})

        assert heard == []
        assert len(asked) == 4


async def test_what_was_checked_is_what_is_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    """One question to the resolver per connection: there is no second answer to be flipped to."""
    asked: list[str] = []

    def allowed_then_forbidden(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async with canary() as (port, heard):
        monkeypatch.setattr(socket, "getaddrinfo", resolver(allowed_then_forbidden))
        client = SendingClient(AddressPolicy([f"sandbox:{port}"]))
        with pytest.raises(Exception, match="connection_"):
            await client.post(f"http://sandbox:{port}/", headers={})
        await client.close()

        assert asked == ["sandbox"]
        assert len(heard) == 1


def test_the_allow_list_is_exact() -> None:
    policy = AddressPolicy(["127.0.0.1:8090", "sandbox:9000", "[::1]:7000", "meta:80"])

    policy.check("127.0.0.1", 8090, "127.0.0.1")
    policy.check("sandbox", 9000, "10.1.2.3")
    policy.check("SANDBOX", 9000, "192.168.0.1")
    policy.check("::1", 7000, "::1")
    assert policy.check_url("http://127.0.0.1:8090/hook/x").path == "/hook/x"
    assert policy.check_url("http://[::1]:7000/").host == "::1"
    for host, port, ip in (
        ("127.0.0.1", 8091, "127.0.0.1"),
        ("localhost", 8090, "127.0.0.1"),
        ("127.0.0.2", 8090, "127.0.0.2"),
        ("sandbox", 9001, "10.1.2.3"),
        ("evil.sandbox", 9000, "10.1.2.3"),
        ("evil.example.com", 8090, "127.0.0.1"),
        ("meta", 80, "169.254.169.254"),
        ("sandbox", 9000, "224.0.0.1"),
        ("sandbox", 9000, "0.0.0.0"),
        ("sandbox", 9000, "64:ff9b::7f00:1"),
    ):
        with pytest.raises(ForbiddenAddress):
            policy.check(host, port, ip)


def test_an_operators_own_networks_are_kept_out_of() -> None:
    policy = AddressPolicy(denied=["8.8.8.0/24", "2a00::/16"])

    for ip in ("8.8.8.8", "2a00::1"):
        with pytest.raises(ForbiddenAddress, match="operator"):
            policy.check("shop.example.com", 443, ip)


@pytest.mark.parametrize(
    "pair", ["127.0.0.1", "host:", "host:0", "host:70000", ":80", "a b:80", "::1:80", "h:٨"]
)
def test_a_vague_allowance_is_refused_at_the_start(pair: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        AddressPolicy([pair])


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://example.com/", "url_scheme"),
        ("https://example.com:22/", "url_port"),
        ("https://example.com:5432/", "url_port"),
        ("https://example.com:80/", "url_port"),
        ("https://example.com/" + "x" * 2_048, "url_too_long"),
        ("https://bücher.example/", "url_characters"),
        ("https://example.com/a b", "url_characters"),
        ("https://example.com/#top", "url_fragment"),
        ("https://user@example.com/", "url_userinfo"),
        ("https://user:word@example.com/", "url_userinfo"),
        ("https://" + "a" * 64 + ".com/", "url_host"),
        ("https://" + "a." * 127 + "com/", "url_host"),
        ("https://under_score.example.com/", "url_host"),
    ],
)
def test_each_reason_has_a_code(url: str, code: str) -> None:
    with pytest.raises(ForbiddenAddress) as error:
        AddressPolicy().check_url(url)

    assert error.value.code == code


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("https://example.com", "example.com", 443, "/", "example.com"),
        ("HTTPS://Example.COM/A?b=/c", "example.com", 443, "/A?b=/c", "example.com"),
        ("https://example.com:8443?x", "example.com", 8443, "/?x", "example.com:8443"),
        (
            "https://xn--bcher-kva.example/",
            "xn--bcher-kva.example",
            443,
            "/",
            "xn--bcher-kva.example",
        ),
        ("https://1.1.1.1/", "1.1.1.1", 443, "/", "1.1.1.1"),
        (
            "https://[2606:4700:4700:0::1111]/",
            "2606:4700:4700::1111",
            443,
            "/",
            "[2606:4700:4700::1111]",
        ),
        ("https://8ball.example.com/%7E?", "8ball.example.com", 443, "/%7E?", "8ball.example.com"),
    ],
)
def test_what_a_brand_may_write(url: str, host: str, port: int, path: str, authority: str) -> None:
    target = AddressPolicy().check_url(url)

    assert (target.host, target.port, target.path) == (host, port, path)
    assert target.authority == authority


@given(st.text(max_size=60))
def test_any_text_is_read_in_one_way_or_refused(text: str) -> None:
    with suppress(ForbiddenAddress):
        target = split_url("http://" + text)

        again = split_url(f"http://{target.authority}{target.path}")
        assert again == target


@given(st.integers(0, 2**32 - 1) | st.integers(0, 2**128 - 1))
def test_any_address_that_python_calls_private_is_forbidden_too(number: int) -> None:
    address = ip_address(number)
    if address.is_private or address.is_multicast or address.is_reserved or address.is_loopback:
        with pytest.raises(ForbiddenAddress):
            AddressPolicy().check("host.example.com", 443, str(address))
