"""Accounts: added, connected, changed, deleted; their credentials seen by the dispatcher alone."""

import httpx
import orjson

from shared.ids import new_id
from tests.gateway.gateways import TOKEN, message

BODY = {"channel": "telegram", "name": "bot", "credentials": {"token": TOKEN}}


async def test_an_account_is_told_to_those_who_need_it(gateway, aurora):
    brand_id, client = aurora
    body = {**BODY, "credentials": {"token": TOKEN, "api_base": "http://127.0.0.1:9/telegram"}}

    answer = await client.post("/v1/accounts", json=body)
    made = answer.json()

    assert answer.status_code == 201
    assert made["webhook_url"] == f"http://gateway/webhooks/telegram/{made['id']}"
    assert made["status"] == "new"
    assert TOKEN not in answer.text
    (setup,) = gateway.desk.accounts.values()
    assert (str(setup.id), setup.brand_id) == (made["id"], brand_id)
    assert setup.credentials == {"token": TOKEN, "api_base": "http://127.0.0.1:9/telegram"}
    async with gateway.consent_app.state.registry.database.connection(brand_id) as connection:
        rows = await connection.fetch("SELECT id, channel FROM consent.account")
    assert [(str(row["id"]), row["channel"]) for row in rows] == [(made["id"], "telegram")]


async def test_connecting_tells_the_platform_where_we_are(gateway, aurora):
    _, client = aurora
    made = (await client.post("/v1/accounts", json=BODY)).json()

    answer = await client.post(f"/v1/accounts/{made['id']}/connect")

    assert answer.json()["status"] == "connected"
    (where,) = gateway.desk.connected.values()
    assert where.webhook_url == made["webhook_url"]
    assert 30 <= len(where.secret) <= 256
    assert where.secret.replace("-", "").replace("_", "").isalnum()
    assert where.secret not in answer.text


async def test_two_accounts_have_two_secrets(gateway, aurora):
    _, client = aurora
    first = await gateway.telegram(client)
    second = await gateway.telegram(client)

    assert first.secret != second.secret
    assert (await gateway.hears(first, message(1, "x"), secret=second.secret)).status_code == 401


async def test_wrong_credentials_are_said_by_field_and_not_repeated(gateway, aurora):
    _, client = aurora
    wrong = [
        ({**BODY, "credentials": {}}, "/credentials/token"),
        ({**BODY, "credentials": {"token": "hunter2"}}, "/credentials/token"),
        ({**BODY, "credentials": {"token": TOKEN, "hunter2": 1}}, "/credentials/hunter2"),
        ({**BODY, "credentials": {"token": TOKEN, "api_base": "hunter2"}}, "/credentials/api_base"),
        ({**BODY, "credentials": {"token": "1:\x00"}}, "/credentials/token"),
        ({**BODY, "credentials": {"token": 10**30}}, "/credentials/token"),
        ({**BODY, "settings": {"hunter2": 1}}, "/settings/hunter2"),
        ({**BODY, "channel": "pigeon"}, "/channel"),
        ({**BODY, "name": ""}, "/name"),
        ({**BODY, "name": "a\x00b"}, "/name"),
        ({**BODY, "credentials": None}, "/credentials"),
    ]
    for body, pointer in wrong:
        answer = await client.post("/v1/accounts", json=body)
        assert answer.status_code == 422, body
        assert [e["pointer"] for e in answer.json()["errors"]] == [pointer], answer.text
        assert "hunter2" not in answer.text.replace(pointer, "")
    assert gateway.desk.accounts == {}


async def test_a_secret_that_was_left_out_is_made_and_shown_once(gateway, aurora):
    _, client = aurora
    body = {"channel": "webhook", "name": "own", "credentials": {"url": "https://a.example/x"}}

    made = (await client.post("/v1/accounts", json=body)).json()
    later = (await client.get(f"/v1/accounts/{made['id']}")).json()

    (setup,) = gateway.desk.accounts.values()
    assert made["generated"] == {"secret": setup.credentials["secret"]}
    assert later["generated"] is None


async def test_changes_reach_the_dispatcher_and_keep_the_rest(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)
    path = f"/v1/accounts/{account.id}"

    named = await client.patch(path, json={"name": "Aurora"})
    secret = await client.patch(path, json={"credentials": {"token": TOKEN[:-1] + "9"}})
    wrong = await client.patch(path, json={"credentials": {"token": "x"}})
    empty = await client.patch(path, json={})

    assert named.json()["name"] == secret.json()["name"] == empty.json()["name"] == "Aurora"
    assert TOKEN[:10] not in secret.text
    assert wrong.status_code == 422
    assert (await client.get("/v1/accounts")).json()["items"][0]["name"] == "Aurora"
    assert (await gateway.hears(account, message(1, "x"))).status_code == 200


async def test_a_deleted_account_is_gone_everywhere_but_in_memory(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)

    gone = await client.delete(f"/v1/accounts/{account.id}")

    assert gone.status_code == 204
    assert gateway.desk.accounts == {}
    assert (await client.get(f"/v1/accounts/{account.id}")).status_code == 404
    assert (await client.delete(f"/v1/accounts/{account.id}")).status_code == 404
    assert (await client.get("/v1/accounts")).json()["items"] == []


async def test_lists_go_on_where_they_stopped(gateway, aurora):
    _, client = aurora
    made = [(await client.post("/v1/accounts", json=BODY)).json()["id"] for _ in range(5)]

    found, cursor = [], None
    while True:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await client.get("/v1/accounts", params=params)).json()
        found += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break

    assert found == made
    assert (await client.get("/v1/accounts?cursor=x")).status_code == 422
    assert (await client.get("/v1/accounts?limit=201")).status_code == 422


async def test_when_the_dispatcher_is_away_no_half_account_is_left(gateway, aurora):
    _, client = aurora
    gateway.desk.down = True
    headers = {"idempotency-key": "bot"}
    failed = await client.post("/v1/accounts", json=BODY, headers=headers)
    gateway.desk.down = False
    nothing = (await client.get("/v1/accounts")).json()["items"]
    done = await client.post("/v1/accounts", json=BODY, headers=headers)

    assert failed.status_code == 503
    assert nothing == []
    assert done.status_code == 201
    assert len(gateway.desk.accounts) == 1


async def test_the_channels_say_what_they_need(gateway, aurora):
    _, client = aurora
    items = {c["name"]: c for c in (await client.get("/v1/channels")).json()["items"]}

    assert {"telegram", "webhook"} <= set(items)
    telegram = items["telegram"]
    assert telegram["credentials"]["properties"]["token"]["writeOnly"] is True
    assert telegram["capabilities"]["text_limit"] == 4096


async def test_no_table_holds_the_token(gateway, aurora, owner_database):
    _, client = aurora
    await client.post("/v1/accounts", json=BODY, headers={"idempotency-key": "k"})

    async with owner_database.connection() as connection:
        tables = await connection.fetch(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_schema IN ('gateway', 'consent')"
        )
        for schema, table in tables:
            rows = await connection.fetch(f"SELECT t::text AS row FROM {schema}.{table} t")
            text = orjson.dumps([row["row"] for row in rows]).decode()
            assert TOKEN not in text
            assert TOKEN.encode().hex() not in text


async def test_an_account_that_nobody_has_is_404(gateway, aurora):
    _, client = aurora
    path = f"/v1/accounts/{new_id()}"

    answers = [
        await client.request(method, url, json=body)
        for method, url, body in (
            ("GET", path, None),
            ("PATCH", path, {"name": "x"}),
            ("DELETE", path, None),
            ("POST", f"{path}/connect", None),
        )
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert all(isinstance(answer, httpx.Response) for answer in answers)
