"""The API's description: what OpenAPI says before and around the operations."""

import re
from collections.abc import Iterable
from copy import deepcopy
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from shared.problems import MEDIA_TYPE

TITLE: Final = "Permesso"
VERSION: Final = "1"
ABOUT: Final = """\
The gateway through which a brand talks to people on the messengers they already use, and never
says a word to anyone who has not said yes.

**First steps.** The operator creates your brand and gives you its first API key. With it, add an
account (`POST /v1/accounts`), connect it, upload pictures (`POST /v1/media`), write a story
(`POST /v1/stories`), record people's consent (`POST /v1/consents`), make a campaign and launch it.

**Keys.** Send `Authorization: Bearer KEY`. A key has scopes; each operation names the one it
needs as `x-scope`. A key without it gets 403, and what belongs to another brand is 404.

**Lists** are `{"items": […], "next": cursor or null}`: ask again with `cursor=next` for more.

**Repeating.** On every POST that creates or launches, give an `Idempotency-Key` of your own. The
same key with the same request gets the first answer again for 72 hours (and
`Idempotency-Replayed: true`); while the first is still running it is 409, and with another body
422. Uploads need none: equal bytes get the same id.

**Errors** are `application/problem+json` (RFC 9457) with a stable `code` and, for fields, `errors`
with JSON pointers. 503 means that nothing was refused: make the same call again.

**Pace.** `RateLimit` and `RateLimit-Policy` say how many calls are left for this key; 429 comes
with `Retry-After`. The numbers hold for each gateway process.

**Times** are RFC 3339 in UTC, **ids** are UUIDv7 as text.
"""
TAGS: Final = [
    {"name": "brands", "description": "The operator's: who may write to people at all."},
    {"name": "keys", "description": "API keys and their scopes."},
    {"name": "accounts", "description": "A brand's identities on channels: bots, numbers, pages."},
    {"name": "media", "description": "Pictures and videos for stories."},
    {"name": "stories", "description": "A few full-screen frames, written once for every channel."},
    {"name": "campaigns", "description": "A story on its way to an audience."},
    {"name": "messages", "description": "One message to one person, and what became of any."},
    {"name": "consents", "description": "Who said yes and no, to what, in which words."},
    {"name": "notices", "description": "What people are shown before they say yes."},
    {"name": "people", "description": "What is known of a person, and their history."},
    {
        "name": "policy",
        "description": "Your own rules: how you ask for a yes, how long doubts wait.",
    },
    {"name": "reviews", "description": "Words that may have been a no, and what they were."},
    {"name": "ledger", "description": "The signed log of your consents, and proofs of it."},
    {"name": "callbacks", "description": "Where you want to be called when something happens."},
    {"name": "events", "description": "What happened, as callbacks carry it."},
]
_SECURITY: Final = {
    "api_key": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "pmso_live_…",
        "description": "A brand's API key.",
    },
    "operator_key": {
        "type": "http",
        "scheme": "bearer",
        "description": "The key of whoever runs this house.",
    },
}


def operation_id(route: APIRoute) -> str:
    """Name an operation by its function: `create_story`."""
    return re.sub(r"\W", "_", route.name)


def install(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Let the app describe itself, once."""
    routes = [each for router in routers for each in router.routes if isinstance(each, APIRoute)]

    def describe() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = _finished(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    openapi_version="3.1.0",
                    description=app.description,
                    routes=app.routes,
                    tags=app.openapi_tags,
                    servers=app.servers,
                ),
                routes,
            )
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def _finished(schema: dict[str, Any], routes: Iterable[APIRoute]) -> dict[str, Any]:
    """Say how one shows a key, that errors are problems, and what is null in the examples."""
    for route in routes:
        for method in route.methods or ():
            _put_examples(route, schema["paths"][route.path][method.lower()])
    components = schema.setdefault("components", {})
    components["securitySchemes"] = _SECURITY
    problem = {"$ref": "#/components/schemas/ProblemBody"}
    for path in schema["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if not status.startswith(("4", "5")):
                    continue
                example = _problem(int(status), operation.get("x-scope"))
                content = {"schema": problem, "example": example}
                response["content"] = {MEDIA_TYPE: content}
    return deepcopy(schema)


def _put_examples(route: APIRoute, operation: dict[str, Any]) -> None:
    """Put the examples in as they were written: FastAPI drops the nulls, which answers do have."""
    for status, response in route.responses.items():
        for media, content in response.get("content", {}).items():
            if "example" in content:
                operation["responses"][str(status)]["content"][media].update(content)
    body = (route.openapi_extra or {}).get("requestBody", {}).get("content", {})
    for media, content in body.items():
        operation["requestBody"]["content"][media]["example"] = content["example"]


_DETAILS: Final = {
    400: ("bad_idempotency_key", "An Idempotency-Key has 1 to 255 printable ASCII characters."),
    401: ("unauthenticated", "The key is unknown, expired or revoked."),
    403: ("missing_scope", "The key lacks the scope stories:write."),
    404: ("not_found", "There is no story of this id."),
    409: ("idempotency_key_in_use", "The first request with this key is still running."),
    413: ("too_large", "The body may have at most 1048576 bytes."),
    422: ("invalid", "Some fields are wrong."),
    429: ("too_many_requests", "This key makes too many calls."),
    503: ("unavailable", "A part of the house is away at the moment."),
}
_TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Content Too Large",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    503: "Service Unavailable",
}


def _problem(status: int, scope: str | None) -> dict[str, Any]:
    code, detail = _DETAILS.get(status, ("error", "Something is wrong."))
    if status == 403 and scope:
        detail = f"The key lacks the scope {scope}."
    body: dict[str, Any] = {
        "type": f"urn:permesso:problem:{code}",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
    }
    if status == 422:
        body["errors"] = [{"pointer": "/title", "message": "This field is required."}]
    return body
