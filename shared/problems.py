"""Errors as RFC 9457 problems: a stable code for programs, a sentence for people, no secret."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import asyncpg
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import exc as sqlalchemy
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from shared.database import DatabaseUnavailable
from shared.ids import new_id
from shared.wrong_fields import field_errors

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
_CODES = {
    400: "malformed",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many_requests",
    503: "unavailable",
}
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
"""RFC 9110's names; older Pythons have older ones."""
RETRY_AFTER = 2
"""Seconds that a client is asked to wait when the database is away."""


class FieldError(BaseModel):
    """What is wrong with one field; the pointer (RFC 6901) says which."""

    model_config = ConfigDict(frozen=True)

    pointer: str = Field(examples=["/frames/0/button/url"])
    message: str = Field(examples=["This field is required."])


class ProblemBody(BaseModel):
    """An error as RFC 9457 has it."""

    type: str = Field(examples=["urn:permesso:problem:not_found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    code: str = Field(examples=["not_found"])
    detail: str | None = Field(default=None, examples=["There is no campaign of this id."])
    errors: list[FieldError] | None = None
    incident: str | None = Field(default=None, description="Quote it when asking for help.")


class Problem(HTTPException):
    """Refuse a request. `code` is stable; `detail` is for people and holds no secret.

    It is an `HTTPException` because FastAPI lets only those through while it reads a body.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str = "",
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Take `errors` as `{"pointer": "/frames/0", "message": "…"}`."""
        super().__init__(status, detail or None, dict(headers) if headers else None)
        self.code = code
        self.errors = tuple(errors)

    def response(self) -> Response:
        """Return the answer that says so."""
        # Starlette fills an absent detail with the status phrase, which the title says already.
        return _answer(
            self.status_code,
            self.code,
            detail=None if self.detail == _title(self.status_code) else self.detail,
            errors=self.errors,
            headers=self.headers,
        )


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemBody, "description": meaning}
    for status, meaning in (
        (400, "The request cannot be read."),
        (401, "There is no valid key."),
        (403, "The key does not allow this."),
        (404, "There is no such thing, or not for this key."),
        (409, "It contradicts what is already there."),
        (413, "The body is too large."),
        (422, "A field is wrong; `errors` says which."),
        (429, "Too many requests; `Retry-After` says how long to wait."),
        (503, "A part of the house is away; nothing was done, try again."),
    )
}
"""For `FastAPI(responses=…)` and routers: the errors that every operation may answer with.

FastAPI documents them as application/json; `described` puts that right in the finished document.
"""


def install(app: FastAPI) -> None:
    """Let the app answer every error as a problem, and document that."""
    plain = app.openapi
    app.openapi = lambda: described(plain())  # type: ignore[method-assign]
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    for unavailable in (
        DatabaseUnavailable,
        ConnectionRefusedError,
        asyncpg.PostgresConnectionError,
        asyncpg.CannotConnectNowError,
        asyncpg.TooManyConnectionsError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.InterfaceError,
        sqlalchemy.TimeoutError,
    ):
        app.add_exception_handler(unavailable, _unavailable)
    app.add_exception_handler(sqlalchemy.DBAPIError, _database_failed)
    app.add_exception_handler(Exception, _unexpected)


def described(document: dict[str, Any]) -> dict[str, Any]:
    """Give every error of an OpenAPI document its real media type and its real shape."""
    body = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    for path in document.get("paths", {}).values():
        for operation in path.values():
            answers = operation.get("responses", {}) if isinstance(operation, dict) else {}
            for status, answer in answers.items():
                if status.startswith(("4", "5")) and "application/json" in answer.get(
                    "content", {}
                ):
                    answer["content"] = body
    return document


def _title(status: int) -> str:
    try:
        return _TITLES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _answer(
    status: int,
    code: str,
    *,
    detail: str | None = None,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    incident: str | None = None,
) -> Response:
    body: dict[str, object] = {
        "type": f"urn:permesso:problem:{code}",
        "title": _title(status),
        "status": status,
        "code": code,
    }
    if detail:
        body["detail"] = detail
    if errors:
        body["errors"] = list(errors)
    if incident:
        body["incident"] = incident
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, Problem):
        return error.response()
    match error.status_code, error.detail:
        case 400, "There was an error parsing the body":
            return _unreadable()
        case 404, "Not Found":
            return _answer(404, "not_found", detail="There is nothing at this path.")
        case 405, _:
            return _wrong_method(request)
    detail = error.detail if error.detail != HTTPStatus(error.status_code).phrase else None
    code = _CODES.get(error.status_code, "error")
    return _answer(error.status_code, code, detail=detail, headers=error.headers)


def _unreadable() -> Response:
    return _answer(400, "malformed_json", detail="The body is not valid JSON in UTF-8.")


def _wrong_method(request: Request) -> Response:
    """Name every method that the path takes: the framework names those of its first route only."""
    methods = sorted(_methods(request.app.routes, request.scope))
    headers = {"Allow": ", ".join(methods)}
    detail = f"This path takes {' and '.join(methods)}." if methods else None
    return _answer(405, "method_not_allowed", detail=detail, headers=headers)


def _methods(routes: Iterable[BaseRoute], scope: Scope) -> set[str]:
    found: set[str] = set()
    for route in routes:
        router = getattr(route, "original_router", None)
        if router is not None:
            found |= _methods(router.routes, scope)
        elif route.matches(scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return found


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return _unreadable()
    if any(
        each["type"] == "model_attributes_type" and isinstance(each["input"], bytes)
        for each in found
    ):
        detail = "Send the body as JSON, with Content-Type: application/json."
        return _answer(415, "unsupported_media_type", detail=detail)
    # `input` stays behind: what came in may be a secret, and it is known to the sender.
    return _answer(422, "invalid", detail="Some fields are wrong.", errors=field_errors(found))


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("database.unavailable", error=type(error).__name__)
    return _answer(
        503,
        "unavailable",
        detail="The database cannot be reached at the moment.",
        headers={"Retry-After": str(RETRY_AFTER)},
    )


async def _database_failed(request: Request, error: Exception) -> Response:
    """Tell a lost connection, which passes, from a statement that is wrong, which does not."""
    assert isinstance(error, sqlalchemy.DBAPIError)
    if error.connection_invalidated or isinstance(error, sqlalchemy.InterfaceError):
        return await _unavailable(request, error)
    return await _unexpected(request, error)


async def _unexpected(request: Request, error: Exception) -> Response:
    incident = str(new_id())
    route = request.scope.get("route")
    log.error(
        "request.broken",
        incident=incident,
        method=request.method,
        route=getattr(route, "path", None),
        exc_info=error,
    )
    return _answer(500, "internal", detail="Something broke on our side.", incident=incident)
