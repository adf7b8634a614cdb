"""Calls from one service to another: signed, with a deadline, repeated when that changes nothing.

* ServiceError
  + ServiceUnavailable   no answer; `sent` says whether the request may have been carried out
  + ServiceRefused       an answer that says no, with the problem that the service described
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

import httpx
import orjson
from pydantic import BaseModel, ValidationError

from shared.clients.transport import OwnTransport
from shared.security.service_tokens import ServiceCalls, Signer

_T = TypeVar("_T", bound=BaseModel)

Body = BaseModel | Mapping[str, object] | bytes | None
"""A contract, a JSON object, or bytes that go as they are."""
Params = Mapping[str, str | int | float | bool | None]

TIMEOUT = 10.0
"""Seconds for a whole call, with its repeats, unless the caller says otherwise."""
_PAUSES = (0.05, 0.2, 0.5)
"""Seconds before each repeat."""
_CONNECT_TIMEOUT = 2.0
_CONNECTIONS = 50
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""The request surely never reached the service."""
_BUSY = frozenset({502, 503, 504})


class ServiceError(Exception):
    """A call to another service did not do what was asked."""


class ServiceUnavailable(ServiceError):
    """The service gave no answer in time, or said that it cannot work now."""

    def __init__(self, service: str, why: str, *, sent: bool) -> None:
        """`sent`: the request may have reached the service, so it may have been carried out."""
        super().__init__(f"{service} is unavailable: {why}")
        self.service = service
        self.sent = sent


class ServiceRefused(ServiceError):
    """The service understood and said no."""

    def __init__(self, service: str, status: int, problem: Mapping[str, object]) -> None:
        """Keep the service's own problem (RFC 9457), so that it can be told on."""
        self.service = service
        self.status = status
        self.problem = dict(problem)
        self.code = str(problem.get("code") or f"http_{status}")
        self.detail = str(problem.get("detail") or "")
        super().__init__(f"{service} refused: {status} {self.code}")

    @property
    def errors(self) -> list[dict[str, str]]:
        """The fields that were wrong, as `{"pointer", "message"}`."""
        errors = self.problem.get("errors")
        return [dict(error) for error in errors] if isinstance(errors, list) else []


class ServiceClient:
    """One service as another sees it: a pool of connections, and calls that end."""

    def __init__(
        self,
        base_url: str,
        signer: Signer,
        *,
        audience: str,
        timeout: float = TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Speak with `audience` at `base_url`; a `transport` reaches an app in process."""
        self.audience = audience
        self._timeout = timeout

        def client(transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
            return httpx.AsyncClient(
                base_url=base_url,
                auth=ServiceCalls(signer, audience=audience),
                timeout=httpx.Timeout(timeout, connect=_CONNECT_TIMEOUT),
                transport=transport,
                trust_env=False,
                follow_redirects=False,
            )

        self._http = client(
            transport or OwnTransport(connections=_CONNECTIONS, connect_timeout=_CONNECT_TIMEOUT)
        )
        self._streams = client(transport)

    async def close(self) -> None:
        """Let go of every connection."""
        await self._http.aclose()
        await self._streams.aclose()

    async def ask(
        self,
        answer: type[_T],
        method: str,
        path: str,
        *,
        body: Body = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        within: float | None = None,
    ) -> _T:
        """Call, and return the answer as the contract `answer`."""
        response = await self.send(
            method, path, body=body, params=params, headers=headers, within=within
        )
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            # A service of another version: its answer cannot be relied on, whatever it meant.
            raise ServiceUnavailable(
                self.audience, "its answer is no contract", sent=True
            ) from error

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: Body = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        within: float | None = None,
        repeatable: bool = True,
    ) -> httpx.Response:
        """Call, and return an answer of the 2xx kind; raise a `ServiceError` for anything else.

        All calls between our services are made to be repeated, so a lost answer is asked for again
        until `within` seconds are over. With `repeatable=False` only what was surely not sent is.
        """
        content, kind = _encoded(body)
        seconds = self._timeout if within is None else within
        request = self._http.build_request(
            method,
            path,
            content=content,
            params=_given(params),
            headers={**kind, **(headers or {})},
            timeout=httpx.Timeout(seconds, connect=_CONNECT_TIMEOUT),
        )
        try:
            async with asyncio.timeout(seconds):
                return await self._with_repeats(request, repeatable=repeatable)
        except TimeoutError as error:
            raise ServiceUnavailable(self.audience, "no answer in time", sent=True) from error

    async def _with_repeats(self, request: httpx.Request, *, repeatable: bool) -> httpx.Response:
        pauses = iter(_PAUSES)
        sent = False
        while True:
            try:
                # Each try is signed anew: a token is good for a minute only.
                return self._accepted(await self._http.send(request))
            except httpx.TransportError as error:
                sent = sent or not isinstance(error, _NOT_SENT)
                failure = ServiceUnavailable(self.audience, type(error).__name__, sent=sent)
                failure.__cause__ = error
            except ServiceUnavailable as error:
                sent, failure = True, error
            pause = next(pauses, None)
            if pause is None or (sent and not repeatable):
                raise failure
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """Open an answer that is read piece by piece, for as long as it lasts; never repeated."""
        endless = httpx.Timeout(self._timeout, connect=_CONNECT_TIMEOUT, read=None)
        try:
            async with self._streams.stream(
                method, path, params=_given(params), headers=dict(headers or {}), timeout=endless
            ) as response:
                if not response.is_success:
                    await response.aread()
                    self._accepted(response)
                yield response
        except httpx.TransportError as error:
            sent = not isinstance(error, _NOT_SENT)
            raise ServiceUnavailable(self.audience, type(error).__name__, sent=sent) from error

    def _accepted(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        if response.status_code in _BUSY:
            why = f"it answered {response.status_code}"
            raise ServiceUnavailable(self.audience, why, sent=True)
        raise ServiceRefused(self.audience, response.status_code, _problem(response))


def _encoded(body: Body) -> tuple[bytes | None, dict[str, str]]:
    if body is None or isinstance(body, bytes):
        return body, {}
    json = {"content-type": "application/json"}
    if isinstance(body, BaseModel):
        return body.model_dump_json().encode(), json
    # `default`: the ids that PostgreSQL gave are of a class of their own.
    return orjson.dumps(body, default=str), json


def _given(params: Params | None) -> dict[str, str | int | float | bool] | None:
    """Leave out what is not given: httpx would send it as an empty text."""
    if params is None:
        return None
    return {name: value for name, value in params.items() if value is not None}


def _problem(response: httpx.Response) -> dict[str, object]:
    try:
        problem = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return problem if isinstance(problem, dict) else {}
