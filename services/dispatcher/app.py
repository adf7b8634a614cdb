"""The dispatcher: everything that leaves the house leaves through it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from channels.base.channel import Channel
from channels.registry import CHANNELS
from services.dispatcher.accounts import Accounts
from services.dispatcher.api import ROUTERS
from services.dispatcher.api.refusals import install_refusals
from services.dispatcher.callbacks import IN_FLIGHT
from services.dispatcher.desk import Desk
from services.dispatcher.lanes import Lanes
from services.dispatcher.running import house_of, runners, running
from services.dispatcher.settings import Settings
from services.dispatcher.store import MediaStore
from services.dispatcher.witness import Witness
from shared.clients.consent import ConsentClient
from shared.database import Database
from shared.http import SendingClient
from shared.problems import PROBLEMS
from shared.security.addresses import AddressPolicy
from shared.security.sealing import Sealer
from shared.security.service_tokens import ServiceAuth, Signer, Verifier
from shared.server import MEBIBYTE, BodyLimit, Guard

_BODY = BodyLimit(size=64 * MEBIBYTE, seconds=90.0)
"""A video, or the addresses of a campaign. Only our own services may call at all."""
_ANSWER_LIMIT = 20_000
"""Bytes that are read of a brand's answer to a callback: only its status matters."""


PLANS = {
    # Partitions fill and empty by the minute, and their statistics are always those of before: a
    # plan that was chosen for an empty table reads all of a full one. Every statement here is meant
    # to look its rows up, and to be planned once. So a row that is read costs much, and a look into
    # an index costs little, whatever the statistics say.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",
    "random_page_cost": "0.1",
    "cpu_tuple_cost": "1",
    "cpu_index_tuple_cost": "0.5",
}
"""What PostgreSQL's planner is told by every connection of the dispatcher."""


def create_app(
    settings: Settings,
    *,
    channels: Mapping[str, Channel] = CHANNELS,
    consent: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """Return the app; its lifespan owns the connections and the workers.

    `consent` reaches that service in process, where it runs in the same one.
    """
    desk = _furnish(settings, channels, consent)
    house = house_of(
        desk, in_flight=settings.in_flight, calls=settings.calls, paced=settings.pacing
    )
    heart = _database(settings, name="permesso dispatcher lanes", pool_size=2)
    lanes = Lanes(heart, runners(desk, house))
    work_wake = asyncio.Event()
    witness = _witness(desk, settings.witness_url)
    desk = replace(desk, nudge_lane=lanes.nudge, nudge_work=work_wake.set)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with running(
                desk, lanes=lanes, settler=house.settler, work_wake=work_wake, witness=witness
            ):
                yield
        finally:
            await desk.accounts.close()
            await desk.media.close()
            await desk.callbacks.close()
            await desk.consent.close()
            await heart.close()
            await desk.database.close()

    app = FastAPI(
        title="Permesso dispatcher",
        version="1",
        description="Delivers: stories to people, and callbacks to brands.",
        lifespan=lifespan,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        responses=PROBLEMS,
    )
    app.state.desk = desk
    install_refusals(app)
    for router in ROUTERS:
        app.include_router(router)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    # The last one added is the first one asked: no body is read before its size is known.
    verifier = Verifier(settings.service_public_keys, audience="dispatcher")
    app.add_middleware(ServiceAuth, verifier=verifier)
    app.add_middleware(Guard, limit=_BODY)
    return app


def _furnish(
    settings: Settings,
    channels: Mapping[str, Channel],
    consent: httpx.AsyncBaseTransport | None,
) -> Desk:
    database = _database(settings, name="permesso dispatcher", pool_size=settings.pool_size)
    sealer = Sealer.from_base64(settings.sealing_keys_plain())
    addresses = AddressPolicy(settings.allowed_addresses)
    store = MediaStore(database)
    return Desk(
        database=database,
        consent=ConsentClient(
            settings.consent_url,
            Signer("dispatcher", settings.service_key.get_secret_value()),
            transport=consent,
        ),
        channels=channels,
        sealer=sealer,
        addresses=addresses,
        media=store,
        accounts=Accounts(
            database, sealer=sealer, channels=channels, addresses=addresses, store=store
        ),
        callbacks=SendingClient(
            addresses,
            max_connections=IN_FLIGHT,
            answer_limit=_ANSWER_LIMIT,
            cut_long_answers=True,
        ),
    )


def _witness(desk: Desk, url: str) -> Witness | None:
    """Return who shows checkpoints, if there is a witness; a URL that may not be ends the start."""
    if not url:
        return None
    desk.addresses.check_url(url)
    return Witness(desk.database, desk.consent, desk.callbacks, url=url)


def _database(settings: Settings, *, name: str, pool_size: int) -> Database:
    url = settings.database_url.get_secret_value()
    return Database(url, pool_size=pool_size, name=name, settings=PLANS)


def _described(app: FastAPI) -> dict[str, object]:
    """Return the OpenAPI page, which says how the services prove who they are."""
    if app.openapi_schema is None:
        page = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        page.setdefault("components", {})["securitySchemes"] = {
            "service": {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": "`Service <claims>.<signature>`: Ed25519, good for one request.",
            }
        }
        page["security"] = [{"service": []}]
        app.openapi_schema = page
    return app.openapi_schema
