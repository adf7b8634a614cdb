"""A key under which somebody's no is kept cannot be lost without anybody noticing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr

from services.consent.app import create_app
from services.consent.suppression_keys import SuppressionKeyMissing
from shared import clock
from shared.clients.consent import ConsentClient
from shared.contracts.erasures import EraseIn
from shared.ids import new_id
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
