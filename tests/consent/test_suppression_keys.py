"""A key under which somebody's no is kept cannot be lost without anybody noticing."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from services.consent.app import create_app
from services.consent.suppression_keys import SuppressionKeyMissing
from shared import clock
from shared.clients.consent import ConsentClient
from shared.contracts.erasures import EraseIn
from shared.ids import new_id
from shared.security.service_tokens import ServiceCalls
from tests.consent.consent_house import SIGNER, House, settings_for
from tests.consent.test_imports import Importing, row
from tests.postgres import DatabaseServer, Urls

OLD, NEW, OTHER = "C" * 43, "D" * 42 + "A", "E" * 42 + "A"


@pytest.fixture
async def urls(cluster: DatabaseServer) -> AsyncIterator[Urls]:
    """A database of one test, which no other key was ever used in."""
    made = await cluster.make()
    yield made
    await cluster.drop(made)


@asynccontextmanager
async def started(urls: Urls, *keys: str) -> AsyncIterator[House]:
    """The service with these keys, from its start to its end."""
    settings = settings_for(urls.consent)
    given = tuple(SecretStr(key) for key in keys)
    app = create_app(settings.model_copy(update={"suppression_key": given}))
    async with app.router.lifespan_context(app):
        client = ConsentClient("http://consent", SIGNER, transport=httpx.ASGITransport(app))
        yield House(client)
        await client.close()


async def erased(house: House, address: str) -> None:
    said = await house.say("grant", address)
    order = EraseIn(id=new_id(), by="brand")
    await house.client.erase(house.brand_id, said.person_id, order)


async def imported(house: House, *addresses: str) -> tuple[int, int]:
    told = await (await Importing(house).begin()).add(*(row(each) for each in addresses))
    return told.granted, told.suppressed


async def test_without_a_key_that_was_in_use_it_does_not_start(urls: Urls) -> None:
    async with started(urls, OLD):
        pass
    with pytest.raises(SuppressionKeyMissing, match="OLD,NEW") as refused:
        async with started(urls, NEW):
            pass

    assert "1 of the keys" in str(refused.value)
    assert OLD not in str(refused.value)
    # What was refused has left no mark: the right key still starts.
    async with started(urls, OLD):
        pass


async def test_a_key_that_is_added_hashes_and_the_older_ones_are_still_looked_under(
    urls: Urls,
) -> None:
    began = clock.now()
    async with started(urls, OLD) as house:
        await house.open(bot="telegram")
        await erased(house, "1")
        await erased(house, "3")
        await erased(house, "6")
        of_old = (house.brand_id, house.accounts)
    async with started(urls, OLD, NEW) as house:
        house.brand_id, house.accounts = of_old
        await erased(house, "2")
        await erased(house, "3")
        assert await imported(house, "1", "2", "3", "4") == (1, 3)
        of_before = await house.say("grant", "6", at=began)
        assert of_before.reason == "older_than_revocation"
    with pytest.raises(SuppressionKeyMissing):
        async with started(urls, NEW):
            pass
    async with started(urls, OLD, NEW, OTHER) as house:
        house.brand_id, house.accounts = of_old
        assert await imported(house, "5") == (1, 0)


@asynccontextmanager
async def started_without_a_database(
    urls: Urls, key: str, way: Path
) -> AsyncIterator[httpx.AsyncClient]:
    """The service whose database is where `way` will lead, and nobody has made it yet."""
    at = urlsplit(urls.consent)
    host = parse_qs(at.query)["host"][0]
    elsewhere = at._replace(query=urlencode({"host": str(way)})).geturl()
    settings = settings_for(elsewhere)
    app = create_app(settings.model_copy(update={"suppression_key": (SecretStr(key),)}))
    auth = ServiceCalls(SIGNER, audience="consent")
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://c", auth=auth) as http:
            shut = await http.get("/v1/feed?after=0")
            assert (shut.status_code, shut.json()["code"]) == (503, "starting")
            assert (await http.get("/healthz")).status_code == 200
            assert (await http.get("/readyz")).status_code == 503
            os.symlink(host, way)
            yield http


async def code_of(http: httpx.AsyncClient, *not_yet: str) -> str | None:
    """Wait until the service says something else; None where it answers."""
    async with asyncio.timeout(30):
        while True:
            answer = await http.get("/v1/feed?after=0")
            code = None if answer.is_success else answer.json()["code"]
            if code not in not_yet:
                return code
            await asyncio.sleep(0.05)


async def test_while_the_database_is_away_it_is_up_and_answers_nothing(
    urls: Urls, tmp_path: Path
) -> None:
    async with started(urls, OLD):
        pass
    async with started_without_a_database(urls, OLD, tmp_path / "way") as http:
        assert await code_of(http, "starting") is None
        assert (await http.get("/readyz")).status_code == 200


async def test_a_missing_key_is_seen_when_the_database_comes_back_too(
    urls: Urls, tmp_path: Path
) -> None:
    async with started(urls, OLD):
        pass
    async with started_without_a_database(urls, NEW, tmp_path / "way") as http:
        assert await code_of(http, "starting") == "suppression_key_missing"
        assert (await http.get("/readyz")).status_code == 503


async def test_one_who_was_erased_under_both_keys_is_met_once(urls: Urls) -> None:
    async with started(urls, OLD) as house:
        await house.open(bot="telegram")
        await erased(house, "1")
        known = (house.brand_id, house.accounts)
    async with started(urls, OLD, NEW) as house:
        house.brand_id, house.accounts = known
        await erased(house, "1")
        await house.say("seen", "1")
        assert await imported(house, "1") == (0, 1)
