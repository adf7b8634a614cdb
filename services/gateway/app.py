"""The gateway put together: its routes, its workers, and what they share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services.gateway import api, description
from services.gateway.auth import Door
from services.gateway.breaker import Breaker
from services.gateway.eraser import Eraser
from services.gateway.handle import Handler
from services.gateway.house import House
from services.gateway.housekeeping import Housekeeper
from services.gateway.idempotency import Once
from services.gateway.inbox import Inbox
from services.gateway.intake import Intake
from services.gateway.links import Links
from services.gateway.pace import Pace
from services.gateway.pages import person, reference
from services.gateway.revocations import Revoker
from services.gateway.routes import Routes
from services.gateway.settings import Settings
from services.gateway.webhooks import App, Webhooks
from services.gateway.wrong_links import WrongLinks
from shared import problems
from shared.clients.consent import ConsentClient
from shared.clients.dispatcher import DispatcherClient
from shared.database import Database
from shared.problems import Problem
from shared.security.sealing import Sealer
from shared.security.service_tokens import Signer
from shared.server import MEBIBYTE, BodyLimit, Guard
from shared.worker import Workers

LARGER: Final = {
    "/v1/media": BodyLimit(size=60 * MEBIBYTE, seconds=300.0),
    # A million people, read as they come.
    "/v1/consents/imports": BodyLimit(size=1024 * MEBIBYTE, seconds=7_200.0),
}
"""Bodies that may be larger than a mebibyte."""


def create_app(
    settings: Settings,
    *,
    consent: ConsentClient | None = None,
    dispatcher: DispatcherClient | None = None,
) -> FastAPI:
    """Build the app. The clients may be given, to reach services that run in this process."""
    house = _furnish(settings, consent, dispatcher)
    app = App(
        title=description.TITLE,
        version=description.VERSION,
        description=description.ABOUT,
        openapi_tags=description.TAGS,
        servers=[{"url": settings.public_url}],
        docs_url=None,
        redoc_url=None,
        lifespan=_live,
        responses=problems.PROBLEMS,
        generate_unique_id_function=description.operation_id,
    )
    app.state.house = house
    problems.install(app)
    app.add_middleware(Guard, larger=LARGER)
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.trusted_proxies)
    app.take_webhooks(Webhooks(house.routes, house.intake))
    app.add_route("/healthz", _alive, include_in_schema=False)
    app.add_route("/readyz", _ready, include_in_schema=False)
    for router in api.ROUTERS:
        app.include_router(router)
    reference.install(app)
    person.install(app)
    description.install(app, api.ROUTERS)
    return app


def _furnish(
    settings: Settings, consent: ConsentClient | None, dispatcher: DispatcherClient | None
) -> House:
    url = settings.database_url.get_secret_value()
    database = Database(url, pool_size=10, name="permesso-gateway")
    handling = Database(url, pool_size=8, name="permesso-gateway-inbox")
    sealer = Sealer.from_base64(settings.sealing_keys_plain())
    signer = Signer("gateway", settings.service_key.get_secret_value())
    consent = consent or ConsentClient(settings.consent_url, signer)
    dispatcher = dispatcher or DispatcherClient(settings.dispatcher_url, signer)
    revoker = Revoker(consent, dispatcher, registry=Breaker("consent"))
    desk = Breaker("dispatcher")
    links = Links(settings.public_url, [each.get_secret_value() for each in settings.link_key])
    handler = Handler(dispatcher, revoker, desk, Eraser(revoker, desk, handling), links)
    wake = asyncio.Event()
    intake = Intake(settings.inbox_database_url.get_secret_value(), wake=wake)
    door = Door(
        database,
        pepper=settings.key_pepper.get_secret_value(),
        operator_key=settings.operator_key.get_secret_value(),
    )
    return House(
        settings=settings,
        database=database,
        handling=handling,
        sealer=sealer,
        consent=consent,
        dispatcher=dispatcher,
        door=door,
        pace=Pace(per_second=settings.rate_per_second, burst=settings.rate_burst),
        once=Once(database, sealer),
        routes=Routes(database, sealer),
        intake=intake,
        inbox=Inbox(database, handler, handling=handling, wake=wake, flooded=intake.flooded),
        links=links,
        wrong_links=WrongLinks(),
        wake=wake,
    )


@asynccontextmanager
async def _live(app: FastAPI) -> AsyncIterator[None]:
    """Run the workers for as long as the app is served.

    They end in the order in which things come in: nothing new is stored, what is stored is
    handled as far as it goes, and the slices are given to others.
    """
    house: House = app.state.house
    days = house.settings.inbox_days
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(house.intake.run(), name="intake")
            try:
                async with house.inbox, Workers() as workers:
                    workers.start(house.inbox.slices, rest=0.5)
                    workers.start(house.inbox, rest=0.5, wake=house.wake)
                    workers.start(Housekeeper(house.database, house.door, days))
                    yield
            finally:
                house.intake.close()
        await _leave(house)
    finally:
        await house.close()


async def _leave(house: House) -> None:
    try:
        await house.inbox.slices.leave()
    except OSError:
        return  # Without a database there is nobody to tell; the lease runs out by itself.


async def _alive(request: Request) -> Response:
    return JSONResponse({"status": "alive"})


async def _ready(request: Request) -> Response:
    """Say whether the database answers and has our tables."""
    house: House = request.app.state.house
    async with house.database.connection() as connection:
        found = await connection.fetchval("SELECT to_regclass('gateway.inbox') IS NOT NULL")
    if not found:
        raise Problem(503, "not_migrated", "The database has no tables of the gateway yet.")
    return JSONResponse({"status": "ready"})
