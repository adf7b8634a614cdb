"""The registry's door: who may call, what it says of itself, and that bad input is never a 500."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

from services.consent.api import examples
from services.consent.app import create_app
from shared import clock
from shared.contracts import audiences, feed, ledger
from shared.contracts import consent as contracts
from shared.ids import new_id
from shared.security.service_tokens import ServiceCalls, Signer
from tests.consent.consent_house import SIGNER, House, settings_for
from tests.postgres import Urls

OPEN = {"/healthz", "/readyz"}


def operations(app: FastAPI) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def filled(path: str) -> str:
    for name in ("brand_id", "account_id", "person_id", "event_id"):
        path = path.replace(f"{{{name}}}", str(new_id()))
    return path


async def test_every_route_but_the_health_ones_asks_who_calls(app: FastAPI) -> None:
    strangers: tuple[httpx.Auth | None, ...] = (
        None,
        ServiceCalls(Signer("gateway", bytes(32)), audience="consent"),
        ServiceCalls(Signer("stranger", bytes(range(32))), audience="consent"),
        ServiceCalls(SIGNER, audience="dispatcher"),
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://consent"
    ) as bare:
        answers = {
            path: [
                (await bare.request(method, filled(path), auth=a)).status_code for a in strangers
            ]
            for method, path, _ in operations(app)
        }
        unknown = await bare.get("/docs")

    assert set(answers) > OPEN
    for path, codes in answers.items():
        assert codes == ([200] * 4 if path in OPEN else [401] * 4), path
    assert unknown.status_code == 401


async def test_a_token_is_good_for_one_request_and_one_minute(
    app: FastAPI, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = orjson.dumps(
        {
            "brand_id": str(house.brand_id),
            "account_id": str(house.accounts["bot"]),
            "purpose": "reply",
            "addresses": ["42"],
        }
    )
    path = "/v1/consents/check"
    header = SIGNER.header(audience="consent", method="POST", path=path, body=body)
    now = clock.now()
    codes = []
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://consent"
    ) as bare:
        for sent, later in ((body, 0), (body.replace(b"42", b"43"), 0), (body, 61)):
            monkeypatch.setattr(clock, "now", lambda later=later: now + timedelta(seconds=later))
            answer = await bare.post(path, content=sent, headers={"Authorization": header})
            codes.append(answer.status_code)

    assert codes == [200, 401, 401]


async def test_health_tells_a_missing_database_and_missing_tables(
    http: httpx.AsyncClient, urls: Urls
) -> None:
    name = urlsplit(urls.consent).path
    codes = {}
    for url in (urls.consent.replace(name, "/postgres"), "postgresql://nobody@127.0.0.1:1/none"):
        lost = create_app(settings_for(url))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(lost), base_url="http://consent"
        ) as client:
            alive, ready = await client.get("/healthz"), await client.get("/readyz")
        await lost.state.registry.database.close()
        codes[ready.json()["code"]] = (alive.status_code, ready.status_code)

    assert (await http.get("/readyz")).json() == {"status": "ok"}
    assert codes == {"not_migrated": (200, 503), "unavailable": (200, 503)}


def test_the_page_is_openapi_3_1_with_a_worked_example_for_every_operation(app: FastAPI) -> None:
    page = app.openapi()

    assert page["openapi"].startswith("3.1")
    for method, path, operation in operations(app):
        if path in OPEN:
            continue
        answer = operation["responses"]["200"]["content"]["application/json"]
        assert "example" in answer, (method, path)
        assert answer["schema"], (method, path)
        assert "401" in operation["responses"], (method, path)
        if "requestBody" in operation:
            body = operation["requestBody"]["content"]["application/json"]
            schema = body["schema"]
            assert "example" in body or "examples" in body or "examples" in schema, (method, path)


def test_the_worked_examples_are_true(app: FastAPI) -> None:
    for contract, example in (
        (contracts.BrandFacts, examples.BRAND),
        (contracts.AccountFacts, examples.ACCOUNT),
        (contracts.ConsentRecorded, examples.RECORDED),
        (contracts.PermissionQuestion, examples.QUESTION),
        (contracts.Permissions, examples.PERMISSIONS),
        (audiences.AudiencePage, examples.AUDIENCE_PAGE),
        (audiences.AudienceCount, examples.AUDIENCE_COUNT),
        (contracts.Person, examples.PERSON),
        (contracts.PersonChange, examples.PERSON_CHANGE),
        (contracts.History, examples.HISTORY),
        (feed.Feed, examples.FEED),
        (ledger.LogCheckpoint, examples.CHECKPOINT),
        (ledger.LogEntries, examples.ENTRIES),
        (ledger.LogProof, examples.PROOF),
        (ledger.LogConsistency, examples.CONSISTENCY),
        *((contracts.ConsentEventIn, each["value"]) for each in examples.EVENTS.values()),
        *((audiences.AudienceQuestion, each["value"]) for each in examples.AUDIENCES.values()),
    ):
        assert TypeAdapter(contract).validate_json(orjson.dumps(example))


def bad_events(house: House) -> Iterator[tuple[dict[str, Any], str]]:
    good = orjson.loads(house.event("grant").model_dump_json())
    for changes, pointer in (
        ({"address": "a\x00b"}, "/address"),
        ({"address": ""}, "/address"),
        ({"address": "x" * 257}, "/address"),
        ({"id": "7"}, "/id"),
        ({"action": "forget"}, "/action"),
        ({"purpose": "reply"}, "/purpose"),
        ({"scope": "world"}, "/scope"),
        ({"evidence": {}}, "/evidence/source"),
        ({"evidence": {"source": "x", "text": "y" * 4_097}}, "/evidence/text"),
        ({"expires_at": "yesterday"}, "/expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, "/expires_at"),
        ({"profile": None}, "/profile"),
        ({"surprise": 1}, "/surprise"),
    ):
        yield {**good, **changes}, pointer


async def test_a_bad_event_is_refused_by_its_field(house: House, http: httpx.AsyncClient) -> None:
    for event, pointer in bad_events(house):
        response = await http.post("/v1/events", json=event)

        assert response.status_code == 422, event
        assert pointer in [error["pointer"] for error in response.json()["errors"]]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\x00",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 50_000,
        b'{"address": "\\ud800"}',
        b'{"id": ' + b"9" * 5_000 + b"}",
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/events"),
        ("POST", "/v1/consents/check"),
        ("POST", "/v1/audience"),
        ("POST", "/v1/audience/count"),
        ("PUT", "/v1/brands/01a2054c-977a-771d-8cac-d1bf32a41bf0"),
        ("PUT", "/v1/accounts/01a2054c-977a-771d-8cac-d1bf32a41bf0"),
        (
            "PATCH",
            "/v1/brands/01a2054c-977a-771d-8cac-d1bf32a41bf0/people/01a2054c-977a-771d-8cac-d1bf32a41bf0",
        ),
    ],
)
async def test_what_is_no_json_object_is_a_clear_error(
    http: httpx.AsyncClient, method: str, path: str, body: bytes
) -> None:
    response = await http.request(
        method, path, content=body, headers={"content-type": "application/json"}
    )

    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"


async def test_lone_halves_of_a_character_are_refused_wherever_they_stand(
    house: House, http: httpx.AsyncClient
) -> None:
    good = orjson.loads(house.event("grant").model_dump_json())
    codes = []
    for path in ("address", "source", "text"):
        event = {**good, "evidence": {**good["evidence"]}}
        (event if path == "address" else event["evidence"])[path] = "HALF"
        body = orjson.dumps(event).replace(b"HALF", b"\\udfff")
        response = await http.post(
            "/v1/events", content=body, headers={"content-type": "application/json"}
        )
        codes.append(response.status_code)

    assert codes == [422, 422, 422]


@pytest.mark.parametrize(
    "query",
    [
        "address=%00&channel=telegram",
        "address=a&channel=%00",
        "address=%ff%fe&channel=telegram",
        "address=&channel=telegram",
        "channel=telegram",
    ],
)
async def test_a_bad_query_is_refused(house: House, http: httpx.AsyncClient, query: str) -> None:
    response = await http.get(f"/v1/people?brand_id={house.brand_id}&{query}")

    assert response.status_code in (404, 422)


@pytest.mark.parametrize(
    "query",
    ["after=-1", "after=9223372036854775808", "limit=0", "limit=1001", "wait=nan", "wait=21"],
)
async def test_a_bad_place_in_the_feed_is_refused(http: httpx.AsyncClient, query: str) -> None:
    response = await http.get(f"/v1/feed?{query}")

    assert response.status_code == 422


async def test_an_audience_is_exactly_one_kind_of_people(
    house: House, http: httpx.AsyncClient
) -> None:
    asked = {
        "brand_id": str(house.brand_id),
        "account_id": str(house.accounts["bot"]),
        "purpose": "marketing",
    }
    filters: list[dict[str, Any]] = [
        {},
        {"everyone": False},
        {"everyone": True, "tags": ["a"]},
        {"tags": ["a"], "addresses": ["b"]},
        {"tags": ["a\x00"]},
        {"addresses": ["b", "c\x00"]},
    ]
    codes = [
        (await http.post(path, json={**asked, "filter": meant})).status_code
        for meant in filters
        for path in ("/v1/audience", "/v1/audience/count")
    ]
    after = await http.post(
        "/v1/audience", json={**asked, "filter": {"everyone": True}, "after": "\x00"}
    )

    assert set(codes) == {422}
    assert after.status_code == 422


async def test_brands_and_accounts_are_told_again_and_again(
    house: House, http: httpx.AsyncClient
) -> None:
    account = contracts.AccountFacts(
        id=house.accounts["bot"], brand_id=house.brand_id, channel="telegram"
    )
    same = await house.client.put_account(account)
    moved = await http.put(
        f"/v1/accounts/{account.id}",
        content=account.model_copy(update={"channel": "whatsapp"}).model_dump_json(),
        headers={"content-type": "application/json"},
    )
    elsewhere = await http.put(
        f"/v1/accounts/{new_id()}",
        content=account.model_dump_json(),
        headers={"content-type": "application/json"},
    )

    assert same == account
    assert (moved.status_code, moved.json()["code"]) == (409, "channel_fixed")
    assert elsewhere.status_code == 422
    assert await house.answer() == "no_consent"


async def test_a_hundred_thousand_addresses_can_be_named(house: House) -> None:
    await house.say("grant", "a00042")
    page = await house.client.audience(
        brand_id=house.brand_id,
        account_id=house.accounts["bot"],
        purpose="marketing",
        filter=audiences.AudienceFilter(
            addresses=tuple(f"a{number:05}" for number in range(100_000))
        ),
        limit=100,
    )

    assert [person.address for person in page.recipients] == ["a00042"]
    assert len(page.withheld) == 99
    assert page.next == "a00099"
