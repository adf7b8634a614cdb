"""Who is calling: Ed25519 tokens between the services, good for one request and one minute.

The header is `Authorization: Service <claims>.<signature>`, both base64url. The claims name caller,
audience, method, path with query, a digest of the body, and when it was made. A token that leaks
can repeat that one request for a minute, and every call between the services may be repeated.
"""

import base64
import hashlib
from collections.abc import Generator, Iterable, Mapping
from typing import TypedDict

import httpx
import orjson
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import clock
from shared.problems import Problem

log = structlog.get_logger()

_SCHEME = "Service "
LIFETIME = 60
"""Seconds for which a token is good."""
_SKEW = 5
"""Seconds by which the clocks of two hosts may differ."""


class TokenRefused(Exception):
    """The token does not prove who calls, or was made for another request."""


class _Claims(TypedDict):
    iss: str
    aud: str
    iat: int
    req: str
    body: str


class Signer:
    """Proves that a request comes from one service."""

    def __init__(self, name: str, seed: str | bytes) -> None:
        """Take the caller's name and its Ed25519 seed: 32 bytes, or base64 of them."""
        self.name = name
        self._key = Ed25519PrivateKey.from_private_bytes(_decoded(seed))

    @property
    def public_key(self) -> str:
        """The public key, as the settings of the other services hold it."""
        return _encoded(self._key.public_key().public_bytes_raw())

    def header(self, *, audience: str, method: str, path: str, body: bytes) -> str:
        """Return the `Authorization` header for one request; `path` includes the query."""
        claims = orjson.dumps(
            {
                "iss": self.name,
                "aud": audience,
                "iat": int(clock.now().timestamp()),
                "req": f"{method} {path}",
                "body": hashlib.sha256(body).hexdigest(),
            }
        )
        return f"{_SCHEME}{_encoded(claims)}.{_encoded(self._key.sign(claims))}"


class Verifier:
    """Knows the public keys of those who may call one service."""

    def __init__(self, public_keys: Mapping[str, str], audience: str) -> None:
        """Take public keys (base64) by service name."""
        self._keys = {
            name: Ed25519PublicKey.from_public_bytes(_decoded(key))
            for name, key in public_keys.items()
        }
        self._audience = audience

    def verify(self, header: str | None, *, method: str, path: str, body: bytes) -> str:
        """Return the caller's name, or raise `TokenRefused` with a reason that holds no secret."""
        claims = self._signed_claims(header)
        age = clock.now().timestamp() - claims["iat"]
        if not -_SKEW <= age <= LIFETIME:
            raise TokenRefused("expired")
        if claims["aud"] != self._audience:
            raise TokenRefused("made for another service")
        if claims["req"] != f"{method} {path}":
            raise TokenRefused("made for another request")
        if claims["body"] != hashlib.sha256(body).hexdigest():
            raise TokenRefused("made for another body")
        return claims["iss"]

    def _signed_claims(self, header: str | None) -> _Claims:
        if header is None or not header.startswith(_SCHEME):
            raise TokenRefused("missing")
        payload, _, signature = header[len(_SCHEME) :].partition(".")
        try:
            raw = _decoded(payload)
            claims: _Claims = orjson.loads(raw)
            self._keys[claims["iss"]].verify(_decoded(signature), raw)
        except (ValueError, TypeError, KeyError, InvalidSignature) as error:
            raise TokenRefused("not signed by a known service") from error
        # Signed by one of us, hence of this shape.
        return claims


class ServiceAuth:
    """ASGI middleware: lets only known services in and puts their name on `request.state.caller`.

    The body is read once and handed on as one message; the size is the guard's matter
    (`shared.server.Guard`, which belongs outside of this).
    """

    def __init__(
        self,
        app: ASGIApp,
        verifier: Verifier,
        open_paths: Iterable[str] = ("/healthz", "/readyz"),
    ) -> None:
        """Let anybody ask for `open_paths`."""
        self._app = app
        self._verifier = verifier
        self._open = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Verify, then call the app."""
        if scope["type"] != "http" or scope["path"] in self._open:
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            return
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        try:
            caller = self._verifier.verify(
                header.decode("latin-1"), method=scope["method"], path=_path(scope), body=body
            )
        except TokenRefused as error:
            log.warning("call.refused", reason=str(error))
            problem = Problem(401, "unauthenticated", f"The service token is refused: {error}.")
            await problem.response()(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, _again(body, receive), send)


class ServiceCalls(httpx.Auth):
    """Signs every request of an httpx client to one service."""

    requires_request_body = True

    def __init__(self, signer: Signer, *, audience: str) -> None:
        """Sign for the service named `audience`."""
        self._signer = signer
        self._audience = audience

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header."""
        request.headers["Authorization"] = self._signer.header(
            audience=self._audience,
            method=request.method,
            path=request.url.raw_path.decode("ascii"),
            body=request.content,
        )
        yield request


async def _read(receive: Receive) -> bytes | None:
    """Return the whole body; none when the caller went away."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


def _again(body: bytes, receive: Receive) -> Receive:
    """Hand the body out once more, then whatever the server says next."""
    unread = True

    async def receive_again() -> Message:
        nonlocal unread
        if unread:
            unread = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return receive_again


def _path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return (raw + b"?" + query if query else raw).decode("latin-1")


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str | bytes) -> bytes:
    """Decode base64 in either alphabet, padded or not; 32 raw bytes stay what they are."""
    if isinstance(text, bytes):
        return text
    plain = text.replace("+", "-").replace("/", "_").rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
