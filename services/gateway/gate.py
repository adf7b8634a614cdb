"""Every route of the API stands behind this: who may call it, how often, and once or twice.

A route says what it needs with `@needs`; one that says nothing does not even start the app.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from services.gateway import errors
from services.gateway.auth import Caller, Scope
from shared.clients.base import ServiceRefused, ServiceUnavailable
from shared.problems import Problem

if TYPE_CHECKING:
    from services.gateway.house import House

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])
_ATTRIBUTE = "__permesso_need__"

IDEMPOTENCY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    "description": "Any text of yours that names this one action. A repeat within 72 hours gets "
    "the first answer again and does nothing.",
    "example": "order-4711-welcome",
}


class UnguardedRoute(Exception):
    """A route does not say what its caller needs."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a caller needs."""

    scope: Scope | None
    """None: the operator's key."""
    creates: bool


def needs(scope: Scope, *, creates: bool = False) -> Callable[[_Endpoint], _Endpoint]:
    """Let in keys with this scope. `creates`: a repeat with the same Idempotency-Key runs once."""
    return _marked(Need(scope, creates))


def needs_operator(*, creates: bool = False) -> Callable[[_Endpoint], _Endpoint]:
    """Let in the operator alone."""
    return _marked(Need(None, creates))


class Gate(APIRoute):
    """A route that lets in only whom it names."""

    need: Need

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Refuse an endpoint without `@needs`."""
        need = getattr(endpoint, _ATTRIBUTE, None)
        if not isinstance(need, Need):
            raise UnguardedRoute(f"{path} ({endpoint.__name__}) does not say what it needs")
        self.need = need
        options["openapi_extra"] = _described(need, options.get("openapi_extra") or {})
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put the door, the pace and the once-only before FastAPI's own handler."""
        answer = super().get_route_handler()
        need = self.need
        (method, *_) = sorted((self.methods or set()) - {"HEAD"})
        name = f"{method} {self.path}"

        async def proceed(request: Request) -> Response:
            try:
                return await answer(request)
            except ServiceRefused as error:
                raise errors.refused(error) from error
            except ServiceUnavailable as error:
                raise errors.unavailable(error) from error

        async def let_in(request: Request) -> Response:
            house: House = request.app.state.house
            caller = await house.door.admit(request, operator=need.scope is None)
            allowance = house.pace.take(caller.key_id)
            if not allowance.allowed:
                raise Problem(
                    429,
                    "too_many_requests",
                    "This key makes too many calls.",
                    headers=allowance.headers(),
                )
            check_scope(caller, need)
            request.state.caller = caller
            if request.headers.get("content-type", "").startswith("application/json"):
                errors.check_text(await request.body(), request.scope["query_string"])
            else:
                errors.check_text(b"", request.scope["query_string"])
            if need.creates:
                response = await house.once.run(
                    request, proceed, brand_id=caller.brand_id, route=name
                )
            else:
                response = await proceed(request)
            response.headers.update(allowance.headers())
            return response

        return let_in


def check_scope(caller: Caller, need: Need) -> None:
    """Refuse a key that lacks the scope, and say which one."""
    if need.scope is not None and need.scope not in caller.scopes:
        raise Problem(
            403,
            "missing_scope",
            f"The key lacks the scope {need.scope}.",
            headers={
                "WWW-Authenticate": 'Bearer realm="permesso", error="insufficient_scope", '
                f'scope="{need.scope}"'
            },
        )


def _marked(need: Need) -> Callable[[_Endpoint], _Endpoint]:
    def mark(endpoint: _Endpoint) -> _Endpoint:
        setattr(endpoint, _ATTRIBUTE, need)
        return endpoint

    return mark


def _described(need: Need, extra: dict[str, Any]) -> dict[str, Any]:
    """Say in the API's description what the gate does."""
    described = {**extra}
    described["security"] = [{"operator_key" if need.scope is None else "api_key": []}]
    if need.scope is not None:
        described["x-scope"] = need.scope
    if need.creates:
        described["parameters"] = [*extra.get("parameters", []), IDEMPOTENCY_PARAMETER]
    return described
