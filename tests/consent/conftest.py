"""A registry on a database of its own, reached as the other services reach it."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI

from services.consent.app import create_app
from services.consent.registry import Registry
from shared.clients.consent import ConsentClient
from shared.security.service_tokens import ServiceCalls
from tests.consent.consent_house import SIGNER, House, settings_for
from tests.postgres import DatabaseServer, Urls


@pytest.fixture(scope="session")
def registry_urls(cluster: DatabaseServer) -> Iterator[Urls]:
    """One database for all tests of the registry; each has brands of its own."""
    made = asyncio.run(cluster.make())
    yield made
    asyncio.run(cluster.drop(made))


@pytest.fixture
def urls(registry_urls: Urls) -> Urls:
    """Where the registry's database is."""
    return registry_urls


@pytest.fixture
async def app(urls: Urls) -> AsyncIterator[FastAPI]:
    """The service, without its worker: tests take its steps themselves."""
    made = create_app(settings_for(urls.consent))
    yield made
    await made.state.registry.database.close()


@pytest.fixture
def registry(app: FastAPI) -> Registry:
    """What the service works with."""
    return app.state.registry


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Bare HTTP to the service, signed by the gateway."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://consent",
        auth=ServiceCalls(SIGNER, audience="consent"),
    ) as client:
        yield client


@pytest.fixture
async def consent(app: FastAPI) -> AsyncIterator[ConsentClient]:
    """The service, as the others call it."""
    client = ConsentClient("http://consent", SIGNER, transport=httpx.ASGITransport(app))
    yield client
    await client.close()


@pytest.fixture
async def house(consent: ConsentClient) -> House:
    """A brand with one Telegram account named `bot`."""
    return await House(consent).open(bot="telegram")


@pytest.fixture
async def start(house: House) -> int:
    """Where the feed ends now: other tests have written to it."""
    cursor = 0
    while (page := await house.client.feed(after=cursor, limit=1_000)).items:
        cursor = page.cursor
    return cursor
