"""Tokens between services: for one caller, one audience, one request, one minute."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared import clock
from shared.security.service_tokens import (
    LIFETIME,
    ServiceAuth,
    ServiceCalls,
    Signer,
    TokenRefused,
    Verifier,
)

GATEWAY = Signer("gateway", bytes(range(32)))
STRANGER = Signer("gateway", bytes(range(1, 33)))
VERIFIER = Verifier({"gateway": GATEWAY.public_key}, "consent")
CALL = {"method": "POST", "path": "/v1/check?x=1", "body": b"{}"}


def header(signer: Signer = GATEWAY, **change: object) -> str:
    call = {"audience": "consent", **CALL, **change}
    return signer.header(**call)  # type: ignore[arg-type]


def verify(token: str | None) -> str:
    return VERIFIER.verify(token, **CALL)  # type: ignore[arg-type]


def test_a_token_says_who_calls() -> None:
    assert verify(header()) == "gateway"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"audience": "dispatcher"}, "another service"),
        ({"method": "GET"}, "another request"),
        ({"path": "/v1/check?x=2"}, "another request"),
        ({"body": b"{ }"}, "another body"),
        ({"signer": STRANGER}, "not signed"),
        ({"signer": Signer("other", bytes(32))}, "not signed"),
    ],
)
def test_a_token_is_good_for_nothing_else(change: dict[str, object], reason: str) -> None:
    with pytest.raises(TokenRefused, match=reason):
        verify(header(**change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "token", [None, "", "Service ", "Service x.y", "Service !.!", "Bearer x", "Service e30.e30"]
)
def test_rubbish_is_refused(token: str | None) -> None:
    with pytest.raises(TokenRefused):
        verify(token)


@pytest.mark.parametrize("after", [LIFETIME + 2, -10])
def test_a_token_has_its_time(after: float, monkeypatch: pytest.MonkeyPatch) -> None:
    token = header()
    later = datetime.now(UTC) + timedelta(seconds=after)
    monkeypatch.setattr(clock, "now", lambda: later)

    with pytest.raises(TokenRefused, match="expired"):
        verify(token)


def test_a_changed_token_is_refused() -> None:
    token = header()
    claims, _, signature = token.removeprefix("Service ").partition(".")
    raw = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))
    forged = base64.urlsafe_b64encode(raw.replace(b"consent", b"Consent")).decode().rstrip("=")

    with pytest.raises(TokenRefused, match="not signed"):
        verify(f"Service {forged}.{signature}")


async def who(request: Request) -> Response:
    return JSONResponse({"caller": request.state.caller, "body": (await request.body()).decode()})


async def ready(request: Request) -> Response:
    return JSONResponse({})


@pytest.fixture
async def transport() -> httpx.ASGITransport:
    app = Starlette(
        routes=[Route("/v1/check", who, methods=["POST", "GET"]), Route("/readyz", ready)]
    )
    return httpx.ASGITransport(app=ServiceAuth(app, VERIFIER))


@pytest.fixture
async def client(transport: httpx.ASGITransport) -> AsyncIterator[httpx.AsyncClient]:
    auth = ServiceCalls(GATEWAY, audience="consent")
    async with httpx.AsyncClient(transport=transport, auth=auth, base_url="http://c") as client:
        yield client


async def test_a_client_and_a_server_understand_each_other(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/check", params={"x": "ž /"}, content=b"hello")
    empty = await client.get("/v1/check")

    assert answer.json() == {"caller": "gateway", "body": "hello"}
    assert empty.json() == {"caller": "gateway", "body": ""}


async def test_strangers_are_refused_but_may_ask_for_health(
    transport: httpx.ASGITransport,
) -> None:
    async with httpx.AsyncClient(transport=transport, base_url="http://c") as stranger:
        refused = await stranger.post("/v1/check", content=b"hello")
        healthy = await stranger.get("/readyz")

    assert refused.status_code == 401
    assert refused.json()["code"] == "unauthenticated"
    assert healthy.status_code == 200
