"""A preflight says what a launch would do, and does nothing."""

from datetime import UTC, datetime, timedelta

from shared.contracts.campaigns import Preflight
from shared.contracts.policy import BrandPolicy
from tests.dispatcher.desk_rig import Rig


async def ahead(rig: Rig, **fields: object) -> Preflight:
    campaign = await rig.campaign(**fields)
    found = await rig.dispatcher.preflight(rig.brand_id, campaign.id)
    assert (await rig.read(campaign)).status == "draft"
    assert await rig.work_kinds() == []
    return found


async def test_it_counts_who_may_be_written_to_and_who_not(rig: Rig) -> None:
    await rig.grant(*"123456")
    await rig.say("revoke", "6")
    await rig.say("seen", "7")

    found = await ahead(rig)

    assert found.eligible == 5
    assert found.excluded == {"revoked": 1, "no_consent": 1}


async def test_the_end_follows_from_pace_parts_and_what_waits(rig: Rig) -> None:
    await rig.grant(*"12345")
    await rig.http.patch(
        rig.path("accounts", rig.account_id), json={"settings": {"per_second": 0.5}}
    )

    found = await ahead(rig)

    assert found.expected_finish_at is not None
    left = found.expected_finish_at - datetime.now(UTC)
    assert timedelta(seconds=8) < left <= timedelta(seconds=10)


async def test_it_finds_what_is_wrong(rig: Rig) -> None:
    await rig.grant("1", "2")
    await rig.desk.accounts.broken(rig.brand_id, rig.account_id, "unauthorized")
    await rig.http.patch(
        rig.path("accounts", rig.account_id), json={"settings": {"per_second": 0.001}}
    )

    found = await ahead(
        rig,
        story=await rig.story(frames=[{"text": "x" * 5_000}]),
        deadline=datetime.now(UTC) + timedelta(minutes=5),
    )

    codes = {(f.level, f.code) for f in found.findings}
    assert {
        ("error", "account_broken"),
        ("warning", "shortened"),
        ("warning", "deadline_too_early"),
    } <= codes


async def test_named_people_are_asked_about_one_by_one(rig: Rig) -> None:
    await rig.grant("1", "2")

    found = await ahead(rig, audience={"addresses": ["1", "2", "3", "2"]})
    nobody = await ahead(rig, audience={"addresses": ["9"]})

    assert (found.eligible, found.excluded) == (2, {"no_consent": 1})
    assert (nobody.eligible, nobody.expected_finish_at) == (0, None)
    assert "nobody" in {f.code for f in nobody.findings}


async def test_a_story_that_no_channel_can_show_is_not_launched(rig: Rig) -> None:
    campaign = await rig.campaign(story=await rig.story(frames=[{}]))

    found = await rig.dispatcher.preflight(rig.brand_id, campaign.id)
    answer = await rig.http.post(rig.path("campaigns", campaign.id, "launch"))

    assert "error" in {f.level for f in found.findings}
    assert (answer.status_code, answer.json()["code"]) == (422, "cannot_be_shown")


async def test_a_campaign_for_the_end_of_all_days_does_no_harm(rig: Rig) -> None:
    await rig.grant("1")
    rules = {"quiet_hours": {"start": "21:00", "end": "08:00"}}
    await rig.consent.put_policy(rig.brand_id, BrandPolicy.model_validate(rules))

    for local in (False, True):
        found = await ahead(rig, send_at="9999-12-31T23:59:59Z", recipient_local_time=local)

        assert found.eligible == 1
        assert found.expected_finish_at is not None
