"""How the dispatcher's own refusals are answered: what is not there, and what cannot be stored."""

from collections.abc import Awaitable, Callable

import asyncpg
from fastapi import FastAPI
from sqlalchemy import exc as sqlalchemy
from starlette.requests import Request
from starlette.responses import Response

from services.dispatcher.accounts import NoSuchAccount
from services.dispatcher.campaigns import NoSuchCampaign
from services.dispatcher.endpoints import NoSuchEndpoint
from services.dispatcher.reports import NoSuchMessage
from services.dispatcher.store import NoSuchMedia
from services.dispatcher.stories import NoSuchStory
from shared import problems
from shared.clients.base import ServiceRefused, ServiceUnavailable
from shared.problems import Problem

_MISSING: dict[type[Exception], str] = {
    NoSuchAccount: "account",
    NoSuchCampaign: "campaign",
    NoSuchEndpoint: "callback endpoint",
    NoSuchMedia: "media",
    NoSuchMessage: "message",
    NoSuchStory: "story",
}
_DATA_EXCEPTION = "22"
"""The class of SQLSTATEs for values that no column can hold, such as a text with a NUL."""

_Handler = Callable[[Request, Exception], Awaitable[Response]]


def install_refusals(app: FastAPI) -> None:
    """Let the app answer every error as a problem."""
    problems.install(app)
    for missing, word in _MISSING.items():
        app.add_exception_handler(
            missing, _answering(404, "not_found", f"There is no {word} of this id.")
        )
    unstorable = _answering(422, "invalid", "A text or a number in it cannot be stored.")
    app.add_exception_handler(asyncpg.DataError, unstorable)
    otherwise = app.exception_handlers[sqlalchemy.DBAPIError]

    async def database_failed(request: Request, error: Exception) -> Response:
        state = str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")
        chosen: _Handler = unstorable if state.startswith(_DATA_EXCEPTION) else otherwise  # type: ignore[assignment]
        return await chosen(request, error)

    app.add_exception_handler(sqlalchemy.DBAPIError, database_failed)
    app.add_exception_handler(ServiceUnavailable, _consent_away)
    app.add_exception_handler(ServiceRefused, _consent_refused)


def _answering(status: int, code: str, detail: str) -> _Handler:
    async def answer(request: Request, error: Exception) -> Response:
        return Problem(status, code, detail).response()

    return answer


async def _consent_away(request: Request, error: Exception) -> Response:
    detail = "Consent cannot be asked at the moment."
    return Problem(503, "unavailable", detail, headers={"Retry-After": "2"}).response()


async def _consent_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceRefused)
    return Problem(409, "consent_refused", f"Consent cannot answer: {error.code}.").response()
