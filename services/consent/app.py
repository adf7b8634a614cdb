"""The consent service: it remembers who may be written to, and calls nobody."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from services.consent import suppression_keys
from services.consent.api import (
    audience,
    brands,
    checks,
    erasures,
    events,
    feed,
    health,
    imports,
    ledger,
    merges,
    notices,
    people,
    receipts,
    refreshes,
    reviews,
)
from services.consent.expiring import Expiring
from services.consent.expiry import Expiry
from services.consent.notary import Notary
from services.consent.pause_ends import PauseEnds
from services.consent.person_keys import Evidences
from services.consent.registry import Registry
from services.consent.settings import Settings
from services.consent.signers import Signers
from services.consent.suppression import Suppressor
from shared.database import Database
from shared.problems import PROBLEMS, install
from shared.security.sealing import Sealer
from shared.security.service_tokens import ServiceAuth, Verifier
from shared.server import MEBIBYTE, BodyLimit, Guard
from shared.worker import Workers

_EXPIRY_REST = 5.0
"""Seconds between two looks for consents that have run out; a check needs none of them."""
_EXPIRING_REST = 5.0
"""The same for consents that will run out."""
_PAUSES_REST = 5.0
"""The same for pauses, and for reviews that nobody decided."""
_NOTARY_REST = 1.0
"""Seconds for which an event may be recorded and not in the signed log."""
# A hundred thousand addresses of the greatest length, escaped, and the question around them.
_LARGER = {"/v1/audience": BodyLimit(size=64 * MEBIBYTE, seconds=60.0)}


def create_app(settings: Settings) -> FastAPI:
    """Return the app; its lifespan owns the database and the workers."""
    registry = Registry(
        Database(
            settings.database_url.get_secret_value(),
            pool_size=settings.pool_size,
            name="permesso consent",
        ),
        Evidences(Sealer.from_base64(settings.sealing_keys_plain())),
        Signers(settings.ledger_origin, settings.ledger_key.get_secret_value()),
        Suppressor([each.get_secret_value() for each in settings.suppression_key]),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with (
                Workers() as workers,
                suppression_keys.checked(
                    registry.database,
                    registry.suppressor,
                    registry.door,
                    lambda: _start(workers, registry),
                ),
            ):
                yield
        finally:
            await registry.database.close()

    app = FastAPI(
        title="Permesso consent",
        version="1",
        description="Who may be written to, by whom, on which channel, for what; with evidence.",
        lifespan=lifespan,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        responses=PROBLEMS,
    )
    app.state.registry = registry
    install(app)
    for resource in (
        brands,
        events,
        notices,
        checks,
        audience,
        people,
        reviews,
        erasures,
        merges,
        receipts,
        refreshes,
        imports,
        ledger,
        feed,
        health,
    ):
        app.include_router(resource.router)
    app.openapi = _with_security(app.openapi)  # type: ignore[method-assign]
    # The last one added is the first one asked: no body is read before its size is known.
    verifier = Verifier(settings.service_public_keys, audience="consent")
    app.add_middleware(ServiceAuth, verifier=verifier)
    app.add_middleware(Guard, larger=_LARGER)
    return app


def _start(workers: Workers, registry: Registry) -> None:
    workers.start(Expiry(registry), rest=_EXPIRY_REST)
    workers.start(Expiring(registry), rest=_EXPIRING_REST)
    workers.start(PauseEnds(registry), rest=_PAUSES_REST)
    workers.start(Notary(registry), rest=_NOTARY_REST)


def _with_security(plain: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Let the OpenAPI page say how the services prove who they are."""

    def described() -> dict[str, Any]:
        page = plain()
        page.setdefault("components", {})["securitySchemes"] = {
            "service": {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": "`Service <claims>.<signature>`: Ed25519, good for one request.",
            }
        }
        page["security"] = [{"service": []}]
        return page

    return described
