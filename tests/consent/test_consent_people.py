"""People as one brand knows them: found, shown, changed, and all that was recorded of them."""

from typing import Any

import httpx
import pytest

from shared.clients.base import ServiceRefused
from shared.contracts.consent import PersonChange, Scope
from shared.ids import new_id
from tests.consent.consent_house import House


async def test_a_person_is_found_by_channel_and_by_account(house: House) -> None:
    await house.add("bot2", "telegram")
    seen = await house.say("seen")

    by_channel = await house.client.find_person(
        brand_id=house.brand_id, channel="telegram", address="42"
    )
    by_account = await house.client.find_person(
        brand_id=house.brand_id, account_id=house.accounts["bot2"], address="42"
    )

    assert by_channel == by_account
    assert by_channel.id == seen.person_id
    assert [(a.channel, a.address) for a in by_channel.addresses] == [("telegram", "42")]


async def test_a_person_shows_what_holds_and_where_they_can_be_reached(house: House) -> None:
    await house.add("bot2", "telegram")
    granted = await house.say("grant")
    await house.say("grant", account="bot2", purpose="service")
    await house.say("block", account="bot2")
    person = await house.client.get_person(house.brand_id, granted.person_id)

    assert {(c.account_id, c.purpose, c.status) for c in person.consents} == {
        (house.accounts["bot"], "marketing", "granted"),
        (house.accounts["bot2"], "service", "granted"),
        (house.accounts["bot2"], "marketing", "revoked"),
        (house.accounts["bot2"], "measuring", "revoked"),
    }
    assert [a.blocked_at is None for a in person.addresses] == [True, False]


async def test_nobody_is_a_404_and_so_is_another_brands_person(house: House) -> None:
    other = await House(house.client).open(bot="telegram")
    foreign = await other.say("seen")

    for ask in (
        lambda: house.client.find_person(brand_id=house.brand_id, channel="telegram", address="42"),
        lambda: house.client.find_person(
            brand_id=house.brand_id, account_id=other.accounts["bot"], address="42"
        ),
        lambda: house.client.find_person(
            brand_id=house.brand_id, account_id=new_id(), address="42"
        ),
        lambda: house.client.get_person(house.brand_id, foreign.person_id),
        lambda: house.client.history(house.brand_id, foreign.person_id),
        lambda: house.client.change_person(
            house.brand_id, foreign.person_id, PersonChange(tags=("x",))
        ),
    ):
        with pytest.raises(ServiceRefused) as refused:
            await ask()
        assert (refused.value.status, refused.value.code) == (404, "unknown_person")


async def test_a_change_keeps_what_it_leaves_out_and_takes_away_what_it_empties(
    house: House,
) -> None:
    seen = await house.say("seen")
    attributes: dict[str, Any] = {"vip": True, "age": 41, "score": 0.5, "city": "Roma", "x": None}
    full = await house.client.change_person(
        house.brand_id,
        seen.person_id,
        PersonChange(
            language="it", timezone="Europe/Rome", tags=("b", "a", "b"), attributes=attributes
        ),
    )
    kept = await house.client.change_person(
        house.brand_id, seen.person_id, PersonChange(language="en-GB")
    )
    empty = await house.client.change_person(
        house.brand_id,
        seen.person_id,
        PersonChange(language=None, timezone=None, tags=None, attributes=None),
    )

    assert (full.tags, full.attributes) == (("a", "b"), attributes)
    assert kept == full.model_copy(update={"language": "en-GB"})
    assert (empty.language, empty.timezone, empty.tags, empty.attributes) == (None, None, (), {})


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ('{"timezone": "Europe/Atlantis"}', "/timezone"),
        ('{"timezone": "../../etc/passwd"}', "/timezone"),
        ('{"timezone": ""}', "/timezone"),
        ('{"timezone": "a\\u0000b"}', "/timezone"),
        ('{"language": "italiano lingua"}', "/language"),
        ('{"language": "IT"}', "/language"),
        ('{"tags": ["Not A Tag"]}', "/tags/0"),
        ('{"tags": ["a\\u0000"]}', "/tags/0"),
        ('{"attributes": {"n": NaN}}', "/attributes/n"),
        ('{"attributes": {"n": Infinity}}', "/attributes/n"),
        ('{"attributes": {"n": 1e400}}', "/attributes/n"),
        ('{"attributes": {"n": 36893488147419103232}}', "/attributes/n"),
        ('{"attributes": {"a\\u0000b": 1}}', "/attributes/a\0b"),
        ('{"attributes": {"a/b": "\\u0000"}}', "/attributes/a~1b"),
        ('{"attributes": {"": 1}}', "/attributes/"),
        ('{"attributes": {"long": "%s"}}' % ("x" * 1_001), "/attributes/long"),
        ('{"name": "Ada"}', "/name"),
    ],
)
async def test_what_cannot_be_kept_is_refused_by_its_field(
    house: House, http: httpx.AsyncClient, change: str, pointer: str
) -> None:
    seen = await house.say("seen")
    response = await http.patch(
        f"/v1/brands/{house.brand_id}/people/{seen.person_id}",
        content=change,
        headers={"content-type": "application/json"},
    )

    assert response.status_code == 422
    assert pointer in {error["pointer"] for error in response.json()["errors"]} or any(
        error["pointer"].startswith(f"{pointer}/") for error in response.json()["errors"]
    )


async def test_a_history_is_whole_in_order_and_comes_in_pages(house: House) -> None:
    said = [
        await house.say("seen"),
        await house.say("grant", source="telegram.start"),
        await house.say("revoke", scope=Scope.CHANNEL, source="chat"),
        await house.say("block"),
    ]
    whole = await house.client.history(house.brand_id, said[0].person_id)
    first = await house.client.history(house.brand_id, said[0].person_id, limit=3)
    rest = await house.client.history(
        house.brand_id, said[0].person_id, after=first.next or 0, limit=3
    )

    assert [item.id for item in whole.items] == [recorded.id for recorded in said]
    assert whole.next is None
    assert (*first.items, *rest.items) == whole.items
    assert [(i.action, i.scope) for i in whole.items] == [
        ("seen", Scope.PURPOSE),
        ("grant", Scope.PURPOSE),
        ("revoke", Scope.CHANNEL),
        ("block", Scope.ACCOUNT),
    ]
    assert whole.items[2].evidence.text == "said so"
    assert whole.items[0].evidence.text is None


@pytest.mark.parametrize("query", ["", "&channel=telegram&account_id={id}"])
async def test_one_names_either_a_channel_or_an_account(
    house: House, http: httpx.AsyncClient, query: str
) -> None:
    query = query.format(id=house.accounts["bot"])
    response = await http.get(f"/v1/people?brand_id={house.brand_id}&address=42{query}")

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/query/channel"
