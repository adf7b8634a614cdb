"""May these people be written to? The question before every send."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from services.consent.registry import Registry
from shared.contracts.consent import Permissions
from shared.ids import new_id
from tests.consent.consent_house import House


def question(house: House, **changes: Any) -> dict[str, Any]:
    return {
        "brand_id": str(house.brand_id),
        "account_id": str(house.accounts["bot"]),
        "purpose": "marketing",
        "addresses": ["42"],
        **changes,
    }


async def test_the_answers_come_in_the_order_of_the_question_and_are_the_contract(
    house: House, http: httpx.AsyncClient
) -> None:
    granted = await house.say("grant", "b")
    revoked = await house.say("revoke", "a")
    asked = ["b", "nobody", "a", "b", "ü\u2028 '; --"]

    response = await http.post("/v1/consents/check", json=question(house, addresses=asked))
    answers = Permissions.model_validate_json(response.content).results

    assert [each.address for each in answers] == asked
    assert [(each.allowed, each.reason) for each in answers] == [
        (True, "granted"),
        (False, "no_consent"),
        (False, "revoked"),
        (True, "granted"),
        (False, "no_consent"),
    ]
    assert [each.consent_event_id for each in answers[:3]] == [granted.id, None, revoked.id]
    assert [each.seq for each in answers[:3]] == [granted.seq, 0, revoked.seq]


async def test_a_reply_needs_no_consent_and_every_other_purpose_its_own(house: House) -> None:
    await house.say("grant", purpose="service")
    await house.say("block", "43")

    assert await house.answer(purpose="reply") == "reply"
    assert await house.answer("43", purpose="reply") == "reply"
    assert await house.answer("never seen", purpose="reply") == "reply"
    assert await house.answer(purpose="service") == "granted"
    assert await house.answer(purpose="marketing") == "no_consent"
    assert await house.answer(purpose="measuring") == "no_consent"


async def test_a_consent_ends_at_its_moment_and_not_when_somebody_notices(
    house: House, registry: Registry
) -> None:
    await house.say("grant", expires_at=datetime.now(UTC) + timedelta(hours=1))
    before = await house.answer()
    async with registry.database.connection(house.brand_id) as connection:
        await connection.execute("UPDATE consent.state SET expires_at = now()")

    assert before == "granted"
    assert await house.answer() == "expired"


async def test_a_thousand_addresses_are_asked_at_once_and_none_too(house: House) -> None:
    await house.say("grant", "a7")
    many = await house.client.check(
        brand_id=house.brand_id,
        account_id=house.accounts["bot"],
        purpose="marketing",
        addresses=[f"a{n}" for n in range(1_000)],
    )
    none = await house.client.check(
        brand_id=house.brand_id,
        account_id=house.accounts["bot"],
        purpose="marketing",
        addresses=[],
    )

    assert [each.address for each in many if each.allowed] == ["a7"]
    assert len(many) == 1_000
    assert none == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"purpose": "spam"}, "/purpose"),
        ({"purpose": "marketing.A"}, "/purpose"),
        ({"purpose": "marketing\n"}, "/purpose"),
        ({"purpose": None}, "/purpose"),
        ({"purpose": 7}, "/purpose"),
        ({"brand_id": "x"}, "/brand_id"),
        ({"brand_id": None}, "/brand_id"),
        ({"account_id": 5}, "/account_id"),
        ({"addresses": "42"}, "/addresses"),
        ({"addresses": None}, "/addresses"),
        ({"addresses": {"42": 1}}, "/addresses"),
        ({"addresses": [""]}, "/addresses/0"),
        ({"addresses": ["a", "x" * 257]}, "/addresses/1"),
        ({"addresses": ["a", 42]}, "/addresses/1"),
        ({"addresses": [["a"]]}, "/addresses/0"),
        ({"addresses": ["a\x00"]}, "/addresses"),
        ({"addresses": ["a"] * 1_001}, "/addresses"),
        ({"everybody": True}, "/everybody"),
        ({"messages": ["x" * 36]}, "/messages/0"),
        ({"messages": [7]}, "/messages/0"),
        ({"messages": "x"}, "/messages"),
        ({"messages": []}, ""),
    ],
)
async def test_a_question_that_is_none_is_refused_by_the_field(
    house: House, http: httpx.AsyncClient, changes: dict[str, Any], pointer: str
) -> None:
    response = await http.post("/v1/consents/check", json=question(house, **changes))
    problem = response.json()

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert pointer in [error["pointer"] for error in problem["errors"]]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"text"', b"7", b"\xff\xfe", b'{"addresses": ["\\ud800"]}'],
)
async def test_a_body_that_is_no_question_is_refused(http: httpx.AsyncClient, body: bytes) -> None:
    response = await http.post("/v1/consents/check", content=body)

    assert (response.status_code, response.json()["code"]) in (
        (422, "invalid"),
        (400, "malformed_json"),
    )


async def test_a_missing_field_is_named(house: House, http: httpx.AsyncClient) -> None:
    asked = question(house)
    del asked["purpose"]
    response = await http.post("/v1/consents/check", content=orjson.dumps(asked))

    assert [error["pointer"] for error in response.json()["errors"]] == ["/purpose"]


async def test_of_a_brand_nobody_told_of_nothing_is_known(house: House) -> None:
    stranger = House(house.client, accounts={"bot": new_id()})

    assert await stranger.answer() == "no_consent"
