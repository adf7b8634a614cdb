"""From a name to a connection: resolve, check every answer, dial the checked IP, speak TLS."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

from shared.http.connection import Connection
from shared.http.errors import NotSent
from shared.http.request import Origin
from shared.security.addresses import ForbiddenAddress, find_ip

MAX_CANDIDATES = 4
# A first address that does not answer must not use up the time of the second: TCP repeats its SYN
# after one second, so who is silent that long is probably not there.
FIRST_CANDIDATE_SECONDS = 1.0
UNACKNOWLEDGED_MS = 10_000

Socket4 = tuple[socket.AddressFamily, tuple[str, int]]


class Addresses(Protocol):
    """Says where connections may go."""

    def check(self, host: str, port: int, ip: str) -> None:
        """Raise `ForbiddenAddress` unless a connection to `ip`, resolved from `host`, may be."""


async def dial(
    origin: Origin,
    *,
    addresses: Addresses,
    tls: ssl.SSLContext | None,
    timeout: float,  # noqa: ASYNC109 - it ends in an error of ours that names the phase
    make: Callable[[socket.socket], Connection],
) -> Connection:
    """Open a connection; raise `NotSent` with the code of the phase that failed."""
    phase = "resolve"
    try:
        async with asyncio.timeout(timeout):
            candidates = await resolve(origin)
            for _, (ip, port) in candidates:
                addresses.check(origin.host, port, ip)
            phase = "connect"
            sock = await _connect_one_of(candidates)
            phase = "tls" if tls is not None else "connect"
            return await _begin(sock, origin, tls, make)
    except ForbiddenAddress as error:
        raise NotSent("forbidden_address") from error
    except TimeoutError as error:
        raise NotSent(f"{phase}_timeout") from error
    except ssl.SSLCertVerificationError as error:
        raise NotSent("tls_certificate") from error
    except ConnectionRefusedError as error:
        raise NotSent("connect_refused" if phase == "connect" else f"{phase}_failed") from error
    except (OSError, UnicodeError) as error:  # UnicodeError: a label that IDNA cannot encode
        raise NotSent(f"{phase}_failed") from error


async def resolve(origin: Origin) -> list[Socket4]:
    """Return where this origin may be reached, in the system's order of preference."""
    ip = find_ip(origin.host)
    if ip is not None:
        family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
        return [(family, (str(ip), origin.port))]
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    return [(family, (str(at[0]), int(at[1]))) for family, _, _, _, at in found]


async def _connect_one_of(candidates: list[Socket4]) -> socket.socket:
    last: Exception = OSError("no address")
    few = candidates[:MAX_CANDIDATES]
    for number, (family, address) in enumerate(few, start=1):
        try:
            async with asyncio.timeout(FIRST_CANDIDATE_SECONDS if number < len(few) else None):
                return await _connect(family, address)
        except OSError as error:  # TimeoutError is one
            last = error
    raise last


async def _connect(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


async def _begin(
    sock: socket.socket,
    origin: Origin,
    tls: ssl.SSLContext | None,
    make: Callable[[socket.socket], Connection],
) -> Connection:
    connection = make(sock)
    server_hostname = origin.host if tls is not None else None
    try:
        await asyncio.get_running_loop().create_connection(
            lambda: connection, sock=sock, ssl=tls, server_hostname=server_hostname
        )
    except BaseException:
        sock.close()
        raise
    return connection
