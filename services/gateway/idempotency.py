"""The same call made twice is made once: `Idempotency-Key` on every POST that creates or launches.

The first call takes the key together with the id of what it will make, before it makes it. So a
retry after a crash makes the same thing, not a second one. What was answered is answered again for
72 hours: 2xx, and refusals that would be the same another time. The answer is sealed, because it
may hold a key that is shown once.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.gateway.queries import idempotency as queries
from shared import clock
from shared.database import Database
from shared.ids import new_id
from shared.problems import Problem
from shared.security.sealing import Sealer

KEPT_FOR = timedelta(hours=72)
LOCKED_FOR = timedelta(seconds=60)
HEADER = "idempotency-key"
LONGEST_KEY = 255
_SAME_AGAIN: Final = frozenset({400, 404, 409, 410, 422})
"""Refusals that are kept. 401, 403, 408, 413, 429 and 5xx may be another answer next time."""

Proceed = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Once:
    """Runs a call once per brand, route and key."""

    database: Database
    sealer: Sealer

    async def run(
        self, request: Request, proceed: Proceed, *, brand_id: UUID, route: str
    ) -> Response:
        """Answer the request, or give again what was answered to it."""
        key = read_key(request.headers.get(HEADER))
        if key is None:
            request.state.resource_id = new_id()
            return await proceed(request)
        call = _Call(brand_id, route, key, await _fingerprint(request))
        resource_id = await self._take(call)
        if resource_id is None:
            return await self._again(call)
        request.state.resource_id = resource_id
        return await self._carry_out(call, request, proceed)

    async def _carry_out(self, call: "_Call", request: Request, proceed: Proceed) -> Response:
        refusal: Exception | None = None
        response: Response | None = None
        try:
            response = await proceed(request)
        except Problem as error:
            refusal, response = error, error.response()
        except RequestValidationError:
            await self._forget(call)
            raise
        finally:
            if response is None or not _kept(response.status_code):
                await self._let_go(call)
        if _kept(response.status_code):
            await self._finish(call, response)
        if refusal is not None:
            raise refusal
        return response

    async def _take(self, call: "_Call") -> UUID | None:
        now = clock.now()
        async with self.database.connection(call.brand_id) as connection:
            return await queries.take(
                connection,
                brand_id=call.brand_id,
                route=call.route,
                key=call.key,
                fingerprint=call.fingerprint,
                resource_id=new_id(),
                now=now,
                locked_until=now + LOCKED_FOR,
                expired_before=now - KEPT_FOR,
            )

    async def _again(self, call: "_Call") -> Response:
        async with self.database.connection(call.brand_id) as connection:
            row = await queries.find(
                connection, brand_id=call.brand_id, route=call.route, key=call.key
            )
        if row is not None and row["fingerprint"] != call.fingerprint:
            raise Problem(422, "idempotency_key_reused", "This key was used for another request.")
        if row is None or not row["done"]:
            raise Problem(
                409,
                "idempotency_key_in_use",
                "The first request with this key is still running.",
                headers={"Retry-After": "2"},
            )
        answer = orjson.loads(self.sealer.open(row["answer"], context=call.context))
        headers = {**answer["headers"], "Idempotency-Replayed": "true"}
        return Response(answer["body"], row["status"], headers)

    async def _finish(self, call: "_Call", response: Response) -> None:
        kept = {
            "headers": {
                name: value
                for name, value in response.headers.items()
                if name in ("content-type", "location", "preference-applied")
            },
            "body": bytes(response.body).decode(),
        }
        async with self.database.connection(call.brand_id) as connection:
            await queries.finish(
                connection,
                brand_id=call.brand_id,
                route=call.route,
                key=call.key,
                status=response.status_code,
                answer=self.sealer.seal(orjson.dumps(kept), context=call.context),
            )

    async def _forget(self, call: "_Call") -> None:
        """The body could not even be read: the same key may come again with a better one."""
        async with self.database.connection(call.brand_id) as connection:
            await queries.forget_one(
                connection, brand_id=call.brand_id, route=call.route, key=call.key
            )

    async def _let_go(self, call: "_Call") -> None:
        async with self.database.connection(call.brand_id) as connection:
            await queries.let_go(
                connection,
                brand_id=call.brand_id,
                route=call.route,
                key=call.key,
                now=clock.now(),
            )


@dataclass(frozen=True, slots=True)
class _Call:
    brand_id: UUID
    route: str
    key: str
    fingerprint: bytes

    @property
    def context(self) -> str:
        """What the stored answer is sealed for."""
        return f"{self.brand_id}|gateway.idempotency|answer|{self.route}|{self.key}"


def read_key(header: str | None) -> str | None:
    """Return the key, written as a string of RFC 8941 or bare; raises a `Problem` for neither."""
    if header is None:
        return None
    quoted = len(header) >= 2 and header[0] == header[-1] == '"'
    key = header[1:-1].replace('\\"', '"').replace("\\\\", "\\") if quoted else header
    if not key or len(key) > LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise Problem(
            400,
            "bad_idempotency_key",
            f"An Idempotency-Key has 1 to {LONGEST_KEY} printable ASCII characters.",
        )
    return key


def _kept(status: int) -> bool:
    return 200 <= status < 300 or status in _SAME_AGAIN


async def _fingerprint(request: Request) -> bytes:
    """Return what makes it the same request: method, path with query, and body."""
    digest = hashlib.sha256(request.method.encode())
    for piece in (request.url.path, request.url.query, request.headers.get("prefer", "")):
        digest.update(b"\0" + piece.encode("utf-8", "surrogatepass"))
    digest.update(b"\0" + await request.body())
    return digest.digest()
