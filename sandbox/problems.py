"""Errors of the control side as RFC 9457 problems."""

from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse

from channels.base.simulator import ControlProblem

MEDIA_TYPE = "application/problem+json"


def problem(
    status: int, code: str, detail: str, errors: list[dict[str, Any]] | None = None
) -> JSONResponse:
    """Return a problem as an answer."""
    body: dict[str, Any] = {
        "type": f"urn:permesso:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if errors:
        body["errors"] = errors
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE)


async def cannot_be_done(request: Request, error: Exception) -> JSONResponse:
    """Answer what the control side refused."""
    assert isinstance(error, ControlProblem)
    return problem(error.status, error.code, error.detail)


async def malformed(request: Request, error: Exception) -> JSONResponse:
    """Answer a body that is not what was asked for, field by field."""
    assert isinstance(error, ValidationError)
    errors = [
        {"pointer": "".join(f"/{part}" for part in found["loc"]), "message": found["msg"]}
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return problem(422, "invalid", "The body is not what this call takes.", errors)


async def no_such_path(request: Request, error: Exception) -> JSONResponse:
    """Answer a path or a method that does not exist."""
    status = int(getattr(error, "status_code", 404))
    code = "method_not_allowed" if status == 405 else "not_found"
    return problem(status, code, "There is nothing here.")
