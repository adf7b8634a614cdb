"""Who of an audience may be written to: page by page, and counted."""

from collections import Counter

import pytest

from services.consent import audience
from services.consent.registry import Registry
from shared.contracts.audiences import (
    AudienceFilter,
    AudiencePage,
)
from shared.contracts.consent import (
    PersonChange,
)
from tests.consent.consent_house import House


@pytest.fixture
async def crowd(house: House) -> House:
    """Twelve people: a yes, a no, no word, and one who blocked, in turns; every third a regular."""
    for number in range(12):
        address = f"p{number:02}"
        seen = await house.say("seen", address)
        match number % 4:
            case 0:
                await house.say("grant", address)
            case 1:
                await house.say("revoke", address)
            case 3:
                await house.say("grant", address)
                await house.say("block", address)
        if number % 3 == 0:
            change = PersonChange(tags=("regular", "early"), language="it", timezone="Europe/Rome")
            await house.client.change_person(house.brand_id, seen.person_id, change)
    return house


async def pages(
    house: House, meant: AudienceFilter, *, limit: int, purpose: str = "marketing"
) -> list[AudiencePage]:
    found: list[AudiencePage] = []
    after = None
    while True:
        page = await house.client.audience(
            brand_id=house.brand_id,
            account_id=house.accounts["bot"],
            purpose=purpose,
            filter=meant,
            after=after,
            limit=limit,
        )
        found.append(page)
        if page.next is None:
            return found
        assert after is None or page.next > after
        after = page.next


def excluded(found: list[AudiencePage]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for page in found:
        total.update(page.excluded)
    return dict(total)


def addresses(found: list[AudiencePage]) -> list[str]:
    return [person.address for page in found for person in page.recipients]


@pytest.mark.parametrize("limit", [1, 3, 4, 12, 5_000])
async def test_everyone_is_met_once_whatever_the_page(crowd: House, limit: int) -> None:
    found = await pages(crowd, AudienceFilter(everyone=True), limit=limit)

    assert addresses(found) == ["p00", "p04", "p08"]
    assert excluded(found) == {"revoked": 3, "no_consent": 3, "blocked": 3}
    assert all(len(page.recipients) + sum(page.excluded.values()) <= limit for page in found)


@pytest.mark.parametrize("limit", [1, 2, 5_000])
@pytest.mark.parametrize("window", [1, 2, 10_000])
async def test_tags_choose_among_them(
    crowd: House, limit: int, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "_TAGS_WINDOW", window)

    found = await pages(crowd, AudienceFilter(tags=("regular", "nobody")), limit=limit)

    assert addresses(found) == ["p00"]
    assert excluded(found) == {"blocked": 1, "no_consent": 1, "revoked": 1}


async def test_a_recipient_comes_with_what_rendering_needs(crowd: House) -> None:
    (page,) = await pages(crowd, AudienceFilter(everyone=True), limit=100)
    first, second = page.recipients[0], page.recipients[1]
    person = await crowd.client.get_person(crowd.brand_id, first.person_id)

    assert (first.language, first.timezone) == ("it", "Europe/Rome")
    assert (second.language, second.timezone) == (None, None)
    assert (first.consent_event_id, first.seq) == (
        person.consents[0].consent_event_id,
        person.consents[0].seq,
    )


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5_000])
async def test_each_named_address_is_answered_for_once_known_or_not(
    crowd: House, limit: int
) -> None:
    named = ("p04", "zoe", "p01", "p04", "ünknown", "p03", "p00", "Zed")

    found = await pages(crowd, AudienceFilter(addresses=named), limit=limit)
    withheld = [(each.address, each.reason) for page in found for each in page.withheld]

    assert addresses(found) == ["p00", "p04"]
    assert withheld == [
        ("Zed", "no_consent"),
        ("p01", "revoked"),
        ("p03", "blocked"),
        ("zoe", "no_consent"),
        ("ünknown", "no_consent"),
    ]
    assert [each.person_id is None for page in found for each in page.withheld] == [
        True,
        False,
        False,
        True,
        True,
    ]
    assert excluded(found) == {}


@pytest.mark.parametrize("window", [1, 5, 100_000])
async def test_the_count_is_the_sum_of_the_pages(
    crowd: House, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "_COUNT_WINDOW", window)
    monkeypatch.setattr(audience, "_NAMED_WINDOW", window)
    for meant in (
        AudienceFilter(everyone=True),
        AudienceFilter(tags=("regular",)),
        AudienceFilter(addresses=("p00", "p01", "zoe", "p00")),
    ):
        found = await pages(crowd, meant, limit=3)
        reasons = Counter(excluded(found))
        reasons.update(each.reason for page in found for each in page.withheld)

        count = await crowd.client.count(
            brand_id=crowd.brand_id,
            account_id=crowd.accounts["bot"],
            purpose="marketing",
            filter=meant,
        )

        assert count.eligible == len(addresses(found)) > 0
        assert count.excluded == dict(reasons)


async def test_a_topic_is_covered_by_marketing_in_an_audience_too(crowd: House) -> None:
    await crowd.say("revoke", "p00", purpose="marketing.sales")
    await crowd.say("grant", "p01", purpose="marketing.sales")

    found = await pages(crowd, AudienceFilter(everyone=True), limit=5, purpose="marketing.sales")

    assert addresses(found) == ["p01", "p04", "p08"]
    assert sum(excluded(found).values()) == 9


@pytest.mark.parametrize("purpose", ["marketing", "marketing.news"])
async def test_who_paused_is_excluded_as_paused(crowd: House, purpose: str) -> None:
    await crowd.say("pause", "p04")
    whose = {"brand_id": crowd.brand_id, "account_id": crowd.accounts["bot"], "purpose": purpose}
    (page,) = await pages(crowd, AudienceFilter(everyone=True), limit=5_000, purpose=purpose)
    named = AudienceFilter(addresses=("p00", "p04"))
    (told,) = await pages(crowd, named, limit=5_000, purpose=purpose)
    counts = [
        await crowd.client.count(**whose, filter=meant)
        for meant in (AudienceFilter(everyone=True), named)
    ]

    assert addresses([page]) == ["p00", "p08"]
    assert page.excluded["paused"] == 1
    assert [(each.address, each.reason) for each in told.withheld] == [("p04", "paused")]
    assert [(count.eligible, count.excluded["paused"]) for count in counts] == [(2, 1), (1, 1)]


async def test_who_ran_out_is_excluded_as_expired(crowd: House, registry: Registry) -> None:
    async with registry.database.connection(crowd.brand_id) as connection:
        await connection.execute("UPDATE consent.state SET expires_at = now()")

    found = await pages(crowd, AudienceFilter(everyone=True), limit=100)

    assert addresses(found) == []
    assert excluded(found) == {"expired": 3, "revoked": 3, "blocked": 3, "no_consent": 3}


async def test_an_account_with_nobody_has_an_empty_audience(house: House) -> None:
    for meant in (AudienceFilter(everyone=True), AudienceFilter(tags=("x",))):
        (page,) = await pages(house, meant, limit=10)

        assert (page.recipients, page.excluded, page.next) == ((), {}, None)
