"""A test send: the campaign's story to the brand's own people, counted by no campaign."""

import pytest

from shared.clients.base import ServiceRefused
from shared.contracts.campaigns import Campaign, CampaignTest, SentTests
from shared.ids import new_id
from tests.dispatcher.desk_rig import Rig


async def try_it(rig: Rig, campaign: Campaign, **wanted: object) -> SentTests:
    test_id = wanted.pop("test_id", None) or new_id()
    return await rig.dispatcher.test_campaign(
        rig.brand_id, campaign.id, test_id, CampaignTest.model_validate(wanted)
    )


async def test_it_goes_to_those_named_under_the_campaigns_purpose_and_counts_nowhere(
    rig: Rig,
) -> None:
    await rig.grant("1", "2")
    campaign = await rig.campaign(purpose="marketing.news")

    sent = await try_it(rig, campaign, addresses=["1", "3", "1"])

    found = await rig.read(campaign)
    person = await rig.consent.find_person(
        brand_id=rig.brand_id, account_id=rig.account_id, address="1"
    )
    one, other = sent.items
    assert (one.address, one.status, one.purpose) == ("1", "queued", "marketing.news")
    assert (one.test_of, one.campaign_id, one.person_id) == (campaign.id, None, person.id)
    assert (other.address, other.status, other.reason) == ("3", "withheld", "no_consent")
    assert found.status == "draft"
    assert found.totals.accepted == 0
    assert await rig.sql("SELECT FROM dispatcher.tally") == []


async def test_a_repeat_sends_nothing_more_and_the_launch_goes_to_testers_too(rig: Rig) -> None:
    await rig.grant("1")
    campaign = await rig.campaign()
    test_id = new_id()

    first = await try_it(rig, campaign, addresses=["1"], test_id=test_id)
    again = await try_it(rig, campaign, addresses=["1"], test_id=test_id)
    another = await try_it(rig, campaign, addresses=["1"])
    await rig.step(campaign, "launch")
    await rig.work()

    assert first == again
    assert another.items[0].id != first.items[0].id
    assert (await rig.read(campaign)).totals.queued == 1


async def test_each_variant_that_is_asked_for_in_the_persons_language(rig: Rig) -> None:
    await rig.grant("1", language="en-GB")
    english = {"en": {"frames": [{"text": "Hello"}]}}
    stories = [await rig.story(title=title, variants=english) for title in "ABC"]
    variants = [{"name": each.title.lower(), "story_id": each.id} for each in stories]
    campaign = await rig.campaign(story_id=None, variants=variants)

    every = await try_it(rig, campaign, addresses=["1"])
    one = await try_it(rig, campaign, addresses=["1"], variants=["b"])

    said = [await rig.dispatcher.get_content(rig.brand_id, each.id) for each in every.items]
    assert [each.variant for each in every.items] == ["a", "b", "c"]
    assert [each.variant for each in one.items] == ["b"]
    assert {each.language for each in said} == {"en"}
    assert all("Hello" in str(each.parts) for each in said)


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"addresses": ["1", "mickey mouse"]}, "/addresses/1"),
        ({"addresses": []}, "/addresses"),
        ({"addresses": ["1"] * 11}, "/addresses"),
        ({"addresses": ["1"], "variants": ["a"]}, "/variants/0"),
        ({"addresses": ["1"], "account_id": str(new_id())}, "/account_id"),
    ],
)
async def test_what_is_wrong_is_said(rig: Rig, wanted: dict[str, object], pointer: str) -> None:
    campaign = await rig.campaign()

    answer = await rig.http.put(rig.path("campaigns", campaign.id, "tests", new_id()), json=wanted)

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_with_several_accounts_one_says_which(rig: Rig) -> None:
    other = await rig.add_account(credentials={"token": "77:other"})
    campaign = await rig.campaign()

    with pytest.raises(ServiceRefused) as refused:
        await try_it(rig, campaign, addresses=["1"])
    sent = await try_it(rig, campaign, addresses=["1"], account_id=other)

    assert refused.value.status == 422
    assert [each.account_id for each in sent.items] == [other]


async def test_what_is_over_or_unknown_is_not_tested(rig: Rig) -> None:
    campaign = await rig.campaign()
    await rig.step(campaign, "cancel")
    path = rig.path("campaigns", new_id(), "tests", new_id())

    with pytest.raises(ServiceRefused) as refused:
        await try_it(rig, campaign, addresses=["1"])
    nowhere = await rig.http.put(path, json={"addresses": ["1"]})

    assert (refused.value.status, refused.value.code) == (409, "wrong_status")
    assert nowhere.status_code == 404
