"""The client that everything leaves through: it never tries twice, and knows what has left."""

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence

from shared.http.connection import Connection
from shared.http.dial import Addresses, dial
from shared.http.errors import NotSent
from shared.http.pool import Pool
from shared.http.request import Origin, Prepared, prepare
from shared.http.response import Response
from shared.security.addresses import ForbiddenAddress

MEBIBYTE = 1_048_576


class SendingClient:
    """HTTP/1.1 over pooled connections, for one event loop; no redirects, no cookies, no proxies.

    Every failure is a `NotSent` (surely nothing left) or a `Lost` (something may have arrived).
    A cancelled request's connection is cut off, so nothing of it is sent later.
    """

    def __init__(
        self,
        addresses: Addresses,
        *,
        max_connections: int = 100,
        connect_timeout: float = 5.0,
        pool_timeout: float = 30.0,
        idle_seconds: float = 4.0,
        answer_limit: int = MEBIBYTE,
        cut_long_answers: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Set the limits; seconds and bytes, connections per origin.

        `idle_seconds` stays below what servers use (5 s is the shortest common one), so that the
        end of a keep-alive seldom meets a request. An answer above `answer_limit` is `Lost`, or
        with `cut_long_answers` returned with its body cut there: where only the status matters.
        """
        self._addresses = addresses
        self._max_connections = max_connections
        self._connect_timeout = connect_timeout
        self._pool_timeout = pool_timeout
        self._idle_seconds = idle_seconds
        self._answer_limit = answer_limit
        self._cut_long_answers = cut_long_answers
        self._tls = tls
        self._pools: dict[Origin, Pool] = {}
        self._closed = False

    def prepare(self, url: str, headers: Mapping[str, str], *, method: str = "POST") -> Prepared:
        """Build once what many requests share; raise `NotSent` for a URL that no one may call."""
        try:
            return prepare(url, headers, method=method)
        except ForbiddenAddress as error:
            raise NotSent("forbidden_address") from error

    async def send(
        self,
        prepared: Prepared,
        body: bytes | Sequence[bytes] = b"",
        *,
        start_before: float | None = None,
        timeout: float = 30.0,  # noqa: ASYNC109 - whose end is a Lost, not a TimeoutError
    ) -> Response:
        """Send a prepared request once and return the answer.

        No byte leaves after `start_before` (`shared.clock.ticks()`): then `StartedTooLate`.
        `timeout` runs from the write to the answer's last byte.
        """
        pool = self._pools.get(prepared.origin) or self._open_pool(prepared.origin)
        connection = pool.take() or await pool.acquire(start_before)
        return await connection.exchange(
            prepared.head, body, start_before=start_before, timeout=timeout
        )

    async def post(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | Sequence[bytes] = b"",
        start_before: float | None = None,
        timeout: float = 30.0,  # noqa: ASYNC109 - as above
    ) -> Response:
        """POST once to a URL that is not worth preparing."""
        prepared = self.prepare(url, headers)
        return await self.send(prepared, body, start_before=start_before, timeout=timeout)

    async def close(self) -> None:
        """Let go of every connection; requests under way end as `Lost`."""
        self._closed = True
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await pool.close()

    def _open_pool(self, origin: Origin) -> Pool:
        if self._closed:
            raise NotSent("client_closed")
        # Brands name hosts without end, so the pools of those that went quiet are given up.
        self._pools = {known: pool for known, pool in self._pools.items() if not pool.unused}
        if origin.scheme == "https" and self._tls is None:
            self._tls = ssl.create_default_context()
        loop = asyncio.get_running_loop()

        async def dial_origin(pool: Pool, seconds: float) -> Connection:
            def make(sock: socket.socket) -> Connection:
                return Connection(
                    loop,
                    sock,
                    on_free=pool.free,
                    on_closed=pool.forget,
                    answer_limit=self._answer_limit,
                    cut_long_answers=self._cut_long_answers,
                )

            return await dial(
                origin,
                addresses=self._addresses,
                tls=self._tls if origin.scheme == "https" else None,
                timeout=seconds,
                make=make,
            )

        pool = Pool(
            loop,
            dial=dial_origin,
            limit=self._max_connections,
            idle_seconds=self._idle_seconds,
            connect_seconds=self._connect_timeout,
            wait_seconds=self._pool_timeout,
        )
        self._pools[origin] = pool
        return pool
