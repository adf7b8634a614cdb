"""Platforms' webhooks: verified on their raw bytes, stored, and only then answered.

    POST  proven and stored (now or before) → 200, else 401, 413, 503; never 200 before the commit
    GET   proven → 200; nothing is stored

An account that does not exist is answered like a wrong signature, after the same work, so that
nobody can find out which accounts there are. These requests leave the app's ordinary way at its
door (`App`): there are more of them than of all others, and routing and reading parameters
would cost as much as all that is done here.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import lru_cache
from typing import Final, cast
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
import structlog
from fastapi import FastAPI
from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from channels.base.channel import Channel
from channels.base.webhook import SignatureMismatch, WebhookRequest
from channels.registry import CHANNELS
from services.gateway.intake import Arrival, Intake, IntakeFull, person_key
from services.gateway.routes import Route, Routes
from shared import clock
from shared.ids import new_id
from shared.problems import Problem
from shared.server import Guard

log = structlog.get_logger()

PREFIX: Final = "/webhooks/"
LONGEST_DEDUPE = 512
KEPT_HEADERS: Final = frozenset(
    {"content-type", "webhook-id", "webhook-timestamp", "webhook-signature", "x-hub-signature-256"}
)
"""Only what the channels' `parse` may need, and signatures over the body as evidence. Headers that
hold a secret as it is (Telegram's) are compared and never stored."""
_NOBODY = "an account that does not exist has no secret at all"

_SEEN = Counter("permesso_webhooks_total", "Webhooks by channel and answer.", ["channel", "answer"])


_ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]


class App(FastAPI):
    """An app whose webhooks go their own short way; everything else goes on as usual."""

    def take_webhooks(self, webhooks: ASGIApp) -> None:
        """Send them there, and answer their errors by the app's own handlers."""
        self._webhooks = Guard(webhooks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at the path, and no further."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await super().__call__(scope, receive, send)
            return
        try:
            await self._webhooks(scope, receive, send)
        except Exception as error:  # the edge: nothing was answered yet
            scope["app"] = self
            response = await self._handler_of(error)(Request(scope, receive), error)
            await response(scope, receive, send)

    def _handler_of(self, error: Exception) -> _ErrorHandler:
        """Return the app's handler for the nearest kind of error."""
        kind = next(each for each in type(error).__mro__ if each in self.exception_handlers)
        return cast(_ErrorHandler, self.exception_handlers[kind])


class Webhooks:
    """What platforms call: /webhooks/{channel}/{account_id}."""

    def __init__(self, routes: Routes, intake: Intake) -> None:
        """Find accounts by `routes`, store by `intake`."""
        self._routes = routes
        self._intake = intake
        self._stored = {name: _SEEN.labels(name, "stored") for name in CHANNELS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one webhook."""
        if scope["method"] not in ("POST", "GET"):
            raise Problem(405, "method_not_allowed", headers={"Allow": "GET, POST"})
        name, _, account = scope["path"].removeprefix(PREFIX).partition("/")
        channel = CHANNELS.get(name)
        if channel is None or not channel.capabilities.receives:
            raise Problem(404, "not_found", "There is no such channel.")
        request = await _read(scope, receive)
        if request is None:
            return
        route = await self._prove(channel, account, request)
        if request.method == "POST":
            await self._store(channel, route, request)
            self._stored[name].inc()
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _prove(self, channel: Channel, account: str, request: WebhookRequest) -> Route:
        """Return the account's route if the request proves that it may use it."""
        account_id = _uuid(account)
        route = None if account_id is None else await self._routes.find(account_id)
        if route is not None and route.channel != channel.name:
            route = None
        try:
            channel.verify(request, _NOBODY if route is None else route.secret)
        except SignatureMismatch as error:
            _SEEN.labels(channel.name, "unproven").inc()
            log.info("webhook.refused", channel=channel.name, account=route and route.account_id)
            raise _unproven() from error
        if route is None:
            raise _unproven()
        return route

    async def _store(self, channel: Channel, route: Route, request: WebhookRequest) -> None:
        try:
            await self._intake.store(arrival(channel, route, request))
        except IntakeFull as error:
            _SEEN.labels(channel.name, "full").inc()
            raise Problem(
                503, "overloaded", "Too much is waiting already.", headers={"Retry-After": "1"}
            ) from error


def arrival(channel: Channel, route: Route, request: WebhookRequest) -> Arrival:
    """Return what is stored of a proven webhook."""
    stamp = channel.stamp(request)
    return Arrival(
        id=new_id(),
        brand_id=route.brand_id,
        account_id=route.account_id,
        channel=channel.name,
        dedupe=_storable(stamp.dedupe),
        person=person_key(route.account_id, stamp.person),
        request=_remembered(request),
        body=request.body,
        received_at=request.received_at,
    )


def recall(remembered: dict[str, dict[str, str]], body: bytes, at: datetime) -> WebhookRequest:
    """Return a stored webhook as it came in."""
    return WebhookRequest(
        body=body,
        headers=remembered.get("headers", {}),
        query=remembered.get("query", {}),
        received_at=at,
    )


def _remembered(request: WebhookRequest) -> str:
    kept = {name: value for name, value in request.headers.items() if name in KEPT_HEADERS}
    text = orjson.dumps({"headers": kept, "query": dict(request.query)}).decode()
    # PostgreSQL's jsonb has no place for U+0000, which a query string may hold.
    return text.replace("\\u0000", "\\ufffd") if "\\u0000" in text else text


def _storable(dedupe: str) -> str:
    """Return the name of a repeat, or its hash where PostgreSQL could not hold or index it."""
    if len(dedupe) <= LONGEST_DEDUPE and "\0" not in dedupe and dedupe.isprintable():
        return dedupe
    return hashlib.sha256(dedupe.encode("utf-8", "surrogatepass")).hexdigest()


async def _read(scope: Scope, receive: Receive) -> WebhookRequest | None:
    """Read the whole request; none when the sender went away in the middle of it."""
    message: Message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        pieces = [body]
        while message.get("more_body"):
            message = await receive()
            pieces.append(message.get("body", b""))
        body = b"".join(pieces)
    if message["type"] == "http.disconnect":
        return None
    query = scope["query_string"]
    return WebhookRequest(
        body=body,
        headers={k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]},
        query=dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {},
        method=scope["method"],
        received_at=clock.now(),
    )


@lru_cache(maxsize=10_000)
def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _unproven() -> Problem:
    return Problem(401, "unproven", "The request does not prove that it is the platform's.")
