"""A consent that was given until a day ends, in the ledger and for the brand."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.consent.expiry import Expiry
from services.consent.registry import Registry
from shared.contracts.consent import ConsentRecorded
from shared.database import Database
from tests.consent.consent_house import House

HOUR = timedelta(hours=1)


@pytest.fixture
def expiry(registry: Registry) -> Expiry:
    return Expiry(registry)


async def until_idle(expiry: Expiry) -> None:
    while await expiry.step():
        pass


async def granted_for_an_hour(house: House, address: str = "42") -> ConsentRecorded:
    return await house.say("grant", address, expires_at=datetime.now(UTC) + HOUR)


async def let_an_hour_pass(house: House, owner: Database) -> None:
    """Turn the registry's rows back, since nobody can turn the database's clock."""
    async with owner.connection() as connection:
        for table in ("state", "expiry"):
            await connection.execute(
                f"UPDATE consent.{table} SET expires_at = expires_at - interval '61 minutes'"
                " WHERE brand_id = $1",
                house.brand_id,
            )


async def test_an_end_is_a_line_and_news(
    house: House, expiry: Expiry, owner_database: Database, start: int
) -> None:
    granted = await granted_for_an_hour(house)
    await until_idle(expiry)
    before = await house.answer()
    await let_an_hour_pass(house, owner_database)
    await until_idle(expiry)
    person = await house.client.get_person(house.brand_id, granted.person_id)
    history = await house.client.history(house.brand_id, granted.person_id)
    items = (await house.client.feed(after=start)).items
    news = [item for item in items if item.brand_id == house.brand_id]

    assert before == "granted"
    assert await house.answer() == "expired"
    assert [c.status for c in person.consents] == ["expired"]
    assert [item.action for item in history.items] == ["grant", "expire"]
    assert history.items[1].evidence.source == "expiry"
    assert [item.type for item in news] == ["consent.granted", "consent.expired"]
    assert news[1].data["purposes"] == ["marketing"]
    assert person.consents[0].consent_event_id == news[1].event_id == history.items[1].id


async def test_what_was_renewed_or_revoked_meanwhile_is_left_alone(
    house: House, expiry: Expiry, owner_database: Database
) -> None:
    await granted_for_an_hour(house, "renewed")
    await granted_for_an_hour(house, "revoked")
    await let_an_hour_pass(house, owner_database)
    await house.say("grant", "renewed")
    await house.say("revoke", "revoked")
    await until_idle(expiry)

    assert await house.answer("renewed") == "granted"
    assert await house.answer("revoked") == "revoked"


async def test_many_workers_end_each_grant_once(
    house: House, registry: Registry, owner_database: Database
) -> None:
    people = [await granted_for_an_hour(house, f"p{n}") for n in range(30)]
    await let_an_hour_pass(house, owner_database)

    await asyncio.gather(*(until_idle(Expiry(registry)) for _ in range(3)))
    histories = [await house.client.history(house.brand_id, p.person_id) for p in people]

    assert [[item.action for item in h.items] for h in histories] == [["grant", "expire"]] * 30


async def test_a_new_yes_after_the_end_counts(
    house: House, expiry: Expiry, owner_database: Database
) -> None:
    granted = await granted_for_an_hour(house)
    await let_an_hour_pass(house, owner_database)
    await until_idle(expiry)

    again = await house.say("grant", at=granted.effective_at)

    assert again.state == "granted"
    assert await house.answer() == "granted"
