"""Who may call what: every route, with every kind of key."""

from datetime import timedelta

import httpx
import pytest
from fastapi import APIRouter

from services.gateway import keys
from services.gateway.api import ROUTERS
from services.gateway.auth import KNOWN_FOR, SCOPES
from services.gateway.gate import Gate, UnguardedRoute
from shared import clock
from shared.ids import new_id
from tests.gateway.gateways import BRAND, OPERATOR_KEY, until


def every_route():
    """Return (method, path, needed scope or none) of each operation."""
    return [
        (method, route.path, route.need.scope)
        for router in ROUTERS
        for route in router.routes
        for method in route.methods
    ]


def url_of(path):
    """Put an id that nobody has into a path."""
    while "{" in path:
        before, _, rest = path.partition("{")
        path = f"{before}{new_id()}{rest.partition('}')[2]}"
    return path


async def test_a_key_of_no_kind_is_401(gateway):
    shown, _ = keys.make(new_id())
    for header in (None, "", "Basic x", "Bearer", "Bearer ", "Bearer x", f"Bearer {shown}"):
        headers = {} if header is None else {"authorization": header}
        for method, path, _ in every_route():
            answer = await gateway.http.request(method, url_of(path), headers=headers)
            assert answer.status_code == 401, (method, path, header)
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.headers["content-type"] == "application/problem+json"


async def test_a_header_that_is_not_ascii_is_401(gateway):
    headers = [(b"authorization", "Bearer è".encode())]
    assert (await gateway.http.get("/v1/keys", headers=headers)).status_code == 401


async def test_a_brands_key_does_not_make_brands(gateway, aurora):
    _, client = aurora

    assert (await client.post("/v1/brands", json=BRAND)).status_code == 401
    assert (await client.get("/v1/brands")).status_code == 401


async def test_the_operators_key_opens_nothing_of_a_brand(gateway):
    headers = {"authorization": f"Bearer {OPERATOR_KEY}"}
    for method, path, scope in every_route():
        if scope is not None:
            answer = await gateway.http.request(method, url_of(path), headers=headers)
            assert answer.status_code == 401, (method, path)


async def test_a_key_without_the_scope_is_told_which_one_it_lacks(gateway, aurora):
    _, client = aurora
    made = {}
    for scope in SCOPES:
        body = {"name": scope, "scopes": [other for other in SCOPES if other != scope]}
        made[scope] = gateway.client((await client.post("/v1/keys", json=body)).json()["api_key"])

    for method, path, scope in every_route():
        if scope is None:
            continue
        answer = await made[scope].request(method, url_of(path))
        assert answer.status_code == 403, (method, path)
        assert answer.json()["code"] == "missing_scope"
        assert scope in answer.json()["detail"]


async def test_a_revoked_key_is_refused_within_a_second_by_another_gateway(gateway, aurora):
    _, client = aurora
    made = (await client.post("/v1/keys", json={"name": "k", "scopes": ["keys:read"]})).json()
    other = gateway.client(made["api_key"])
    assert (await other.get("/v1/keys")).status_code == 200

    # As another process would do it: this one is told nothing.
    async with gateway.house.database.connection() as connection:
        await connection.execute("UPDATE gateway.api_key SET revoked_at = now() WHERE name = 'k'")
    revoked_at = clock.ticks()

    async def refused():
        return (await other.get("/v1/keys")).status_code == 401

    await until(refused)
    assert KNOWN_FOR < 1.0
    assert clock.ticks() - revoked_at < 1.5
    assert (await other.get("/v1/keys")).status_code == 401


async def test_a_key_that_is_deleted_here_is_refused_at_once(gateway, aurora):
    _, client = aurora
    made = (await client.post("/v1/keys", json={"name": "k", "scopes": ["keys:read"]})).json()
    other = gateway.client(made["api_key"])
    assert (await other.get("/v1/keys")).status_code == 200

    assert (await client.delete(f"/v1/keys/{made['id']}")).status_code == 204
    assert (await other.get("/v1/keys")).status_code == 401
    assert (await client.delete(f"/v1/keys/{made['id']}")).status_code == 404


async def test_an_expired_key_is_refused(gateway, aurora, monkeypatch):
    _, client = aurora
    now = clock.now()
    expires = (now + timedelta(hours=1)).isoformat()
    body = {"name": "k", "scopes": ["keys:read"], "expires_at": expires}
    other = gateway.client((await client.post("/v1/keys", json=body)).json()["api_key"])
    assert (await other.get("/v1/keys")).status_code == 200

    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=2))
    assert (await other.get("/v1/keys")).status_code == 401


async def test_a_key_cannot_give_what_it_lacks(gateway, aurora):
    _, client = aurora
    body = {"name": "k", "scopes": ["keys:write", "stories:read"]}
    other = gateway.client((await client.post("/v1/keys", json=body)).json()["api_key"])

    wide = await other.post("/v1/keys", json={"name": "x", "scopes": ["consents:write"]})
    narrow = await other.post("/v1/keys", json={"name": "x", "scopes": ["stories:read"]})

    assert [wide.status_code, narrow.status_code] == [403, 201]


async def test_a_key_of_the_past_is_not_made(gateway, aurora):
    _, client = aurora
    body = {"name": "k", "scopes": ["keys:read"], "expires_at": "2020-01-01T00:00:00Z"}
    answer = await client.post("/v1/keys", json=body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/expires_at"


async def test_the_secret_of_a_key_is_nowhere_in_the_database(gateway, aurora, owner_database):
    _, client = aurora
    answer = await client.post(
        "/v1/keys",
        json={"name": "k", "scopes": ["keys:read"]},
        headers={"idempotency-key": "once"},
    )
    presented = keys.read(answer.json()["api_key"])

    async with owner_database.connection() as connection:
        for table in ("api_key", "idempotency"):
            rows = await connection.fetch(f"SELECT t::text AS row FROM gateway.{table} t")
            assert rows
            for row in rows:
                assert presented.secret not in row["row"]
                assert presented.secret.encode().hex() not in row["row"]


async def test_what_is_another_brands_is_404(gateway, aurora):
    """P9 for all that this service itself keeps; the others' part is their own."""
    _, ours = aurora
    _, theirs = await gateway.brand(name="Borealis")
    account = await gateway.telegram(ours)
    key = (await ours.post("/v1/keys", json={"name": "k", "scopes": ["keys:read"]})).json()

    tries = [
        ("GET", f"/v1/accounts/{account.id}", None),
        ("PATCH", f"/v1/accounts/{account.id}", {"name": "ours now"}),
        ("POST", f"/v1/accounts/{account.id}/connect", None),
        ("DELETE", f"/v1/accounts/{account.id}", None),
        ("DELETE", f"/v1/keys/{key['id']}", None),
        ("GET", f"/v1/people?account_id={account.id}&address=42", None),
        (
            "POST",
            "/v1/consents/check",
            {"account_id": str(account.id), "purpose": "marketing", "addresses": ["42"]},
        ),
        (
            "POST",
            "/v1/consents",
            {"account_id": str(account.id), "address": "42", "action": "revoke"},
        ),
        (
            "POST",
            "/v1/messages",
            {
                "account_id": str(account.id),
                "address": "42",
                "purpose": "service",
                "content": {"text": "x"},
            },
        ),
    ]
    for method, path, body in tries:
        answer = await theirs.request(method, path, json=body)
        assert answer.status_code == 404, (method, path, answer.text)
    assert (await theirs.get("/v1/accounts")).json()["items"] == []
    names = {item["name"] for item in (await theirs.get("/v1/keys")).json()["items"]}
    assert names == {"first key"}
    assert (await ours.get(f"/v1/accounts/{account.id}")).json()["name"] == "bot"


def test_a_route_that_does_not_say_what_it_needs_does_not_start():
    router = APIRouter(route_class=Gate)

    with pytest.raises(UnguardedRoute, match="/v1/open"):

        @router.get("/v1/open")
        async def read():
            return {}


async def test_a_key_that_calls_too_often_is_asked_to_wait(gateway, aurora):
    _, client = aurora
    gateway.house.pace._per_second = 0.5
    gateway.house.pace._burst = 3

    answers = [await client.get("/v1/keys") for _ in range(5)]

    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert "r=0" in answers[-1].headers["ratelimit"]
    assert "ratelimit" in answers[0].headers


async def test_the_use_of_a_key_is_noted(gateway, aurora):
    _, client = aurora
    await client.get("/v1/keys")
    await gateway.house.door.store_uses()
    gateway.house.door._known.clear()

    (key,) = (await client.get("/v1/keys")).json()["items"]
    assert key["last_used_at"] is not None
    assert isinstance(client, httpx.AsyncClient)
