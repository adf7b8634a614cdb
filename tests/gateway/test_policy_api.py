"""A brand's own rules: kept, changed field by field, refused where they make no sense."""

import pytest

from shared.contracts.consent import BrandFacts

AS_THE_LAW_HAS_IT = {
    "double_opt_in": None,
    "review_hours": 72,
    "quiet_hours": None,
    "caps": [],
    "expires_after_days": None,
    "refresh_days": 30,
}


async def test_a_brand_begins_with_the_rules_of_its_country(aurora):
    _, client = aurora
    answer = await client.get("/v1/policy")

    assert (answer.status_code, answer.json()) == (200, AS_THE_LAW_HAS_IT)


async def test_what_is_left_out_stays(aurora):
    _, client = aurora
    await client.patch("/v1/policy", json={"review_hours": 5})
    await client.patch("/v1/policy", json={"double_opt_in": False})
    await client.patch("/v1/policy", json={"double_opt_in": True})

    kept = (await client.get("/v1/policy")).json()
    assert kept == {**AS_THE_LAW_HAS_IT, "review_hours": 5, "double_opt_in": True}


@pytest.mark.parametrize(
    "wrong",
    [
        {"review_hours": 0},
        {"quiet_hours": {"start": "21:00", "end": "21:00"}},
        {"quiet_hours": {"start": "9:00", "end": "24:00"}},
        {"quiet_hours": {"start": "21:00"}},
        {"caps": [{"messages": 0, "days": 1}]},
        {"caps": [{"messages": 1, "days": 32}]},
        {"caps": [{"messages": 1, "days": 1}] * 5},
        {"caps": None},
        {"review_hours": None},
        {"unknown": 1},
        {"expires_after_days": {"marketing": 0}},
        {"expires_after_days": {"marketing": 3_651}},
        {"expires_after_days": {"reply": 30}},
        {"expires_after_days": {"news": 30}},
        {"expires_after_days": 30},
        {"refresh_days": -1},
        {"refresh_days": 91},
    ],
)
async def test_rules_that_make_no_sense_are_refused(aurora, wrong):
    _, client = aurora
    answer = await client.patch("/v1/policy", json=wrong)

    assert answer.status_code == 422
    assert answer.json()["errors"]


async def test_ends_and_refreshes_are_kept_and_taken_back(aurora):
    _, client = aurora
    ends = {"marketing": 730, "marketing.events": 365, "service": 3_650, "measuring": 1}
    await client.patch("/v1/policy", json={"expires_after_days": ends, "refresh_days": None})
    kept = (await client.get("/v1/policy")).json()
    await client.patch("/v1/policy", json={"expires_after_days": None, "refresh_days": 0})
    back = (await client.get("/v1/policy")).json()

    assert (kept["expires_after_days"], kept["refresh_days"]) == (ends, None)
    assert (back["expires_after_days"], back["refresh_days"]) == (None, 0)


async def test_a_brand_that_is_told_again_keeps_its_rules(gateway, aurora):
    brand_id, client = aurora
    await client.patch("/v1/policy", json={"review_hours": 5})
    facts = {"name": "Aurora", "country": "DE", "languages": ("de",), "timezone": "Europe/Berlin"}
    await gateway.house.consent.put_brand(BrandFacts(id=brand_id, **facts))

    assert (await client.get("/v1/policy")).json()["review_hours"] == 5
