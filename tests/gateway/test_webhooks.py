"""Webhooks: proven on raw bytes, stored before the answer, never an error of ours."""

import orjson

from shared.ids import new_id
from tests.gateway.gateways import message


async def test_a_proven_webhook_is_stored_before_it_is_answered(gateway, aurora):
    brand_id, client = aurora
    account = await gateway.telegram(client)

    answer = await gateway.hears(account, message(1, "ciao"))

    assert answer.status_code == 200
    assert [row["dedupe"] for row in await gateway.rows(brand_id)] == ["1"]


async def test_a_repeat_is_answered_and_stored_once(gateway, aurora):
    brand_id, client = aurora
    account = await gateway.telegram(client)

    answers = [await gateway.hears(account, message(7, "ciao")) for _ in range(2)]
    await gateway.settle()

    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(await gateway.rows(brand_id)) == 1
    assert len(gateway.desk.events) == gateway.desk.events_told == 1


async def test_every_recorded_update_is_accepted_and_handled(gateway, aurora, fixtures):
    brand_id, client = aurora
    account = await gateway.telegram(client)
    recordings = sorted((fixtures / "telegram").glob("*.json"))

    for number, path in enumerate(recordings):
        update = orjson.loads(path.read_bytes())
        if isinstance(update, dict) and "update_id" in update:
            update["update_id"] = 1_000 + number
        answer = await gateway.hears(account, update)
        assert answer.status_code == 200, path.name
    await gateway.settle()

    rows = await gateway.rows(brand_id)
    assert len(rows) == len(recordings) >= 30
    assert {row["state"] for row in rows} == {"done"}


FORGED = ("", "wrong", "è così", "\x7f", "a" * 300, "Bearer x", "%00", "ü" * 40)


async def test_a_forged_webhook_is_401(gateway, aurora):
    brand_id, client = aurora
    account = await gateway.telegram(client)

    for secret in FORGED:
        headers = [(b"x-telegram-bot-api-secret-token", secret.encode())]
        answer = await gateway.http.post(account.path, content=b"{}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unproven"), secret
    without = await gateway.http.post(account.path, content=b"{}")

    assert without.status_code == 401
    assert await gateway.rows(brand_id) == []


async def test_an_unknown_account_looks_like_a_wrong_secret(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)
    wrong = await gateway.hears(account, b"{}", secret="wrong")

    for unknown in (new_id(), "x", "%00"):
        answer = await gateway.http.post(f"/webhooks/telegram/{unknown}", content=b"{}")
        assert (answer.status_code, answer.content) == (wrong.status_code, wrong.content)


async def test_another_channel_of_the_same_account_is_401(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)

    path = account.path.replace("/telegram/", "/webhook/")
    answer = await gateway.http.post(
        path, content=b"{}", headers={"x-telegram-bot-api-secret-token": account.secret}
    )

    assert answer.status_code == 401


async def test_a_channel_that_does_not_exist_is_404(gateway):
    answers = [
        await gateway.http.post(f"/webhooks/{name}/{new_id()}", content=b"{}")
        for name in ("pigeon", "api", "%00")
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404]


BODIES = (
    b"",
    b"null",
    b"[]",
    b"\x00\xff\xfe",
    b'{"update_id": 1e400}',
    b'{"update_id": 99999999999999999999999999999999}',
    b'{"update_id": "\\u0000"}',
    b'{"update_id": 5, "message": {"text": "a\\u0000b", "chat": {"id": 5}}}',
    b'{"message": {"text": "\\ud800"}}',
    b"[" * 50_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b"<xml/>",
)


async def test_any_body_with_the_right_secret_is_stored_and_handled(gateway, aurora):
    brand_id, client = aurora
    account = await gateway.telegram(client)

    for body in BODIES:
        assert (await gateway.hears(account, body)).status_code == 200, body[:40]
    await gateway.settle()

    rows = await gateway.rows(brand_id)
    assert {row["body"] for row in rows} == set(BODIES)
    assert {row["state"] for row in rows} == {"done"}


async def test_a_body_of_more_than_a_mebibyte_is_413(gateway, aurora):
    brand_id, client = aurora
    account = await gateway.telegram(client)

    async def pieces():
        for _ in range(17):
            yield b"x" * 65_536

    headers = {"x-telegram-bot-api-secret-token": account.secret}
    whole = await gateway.hears(account, b"x" * (1024 * 1024 + 1))
    chunked = await gateway.http.post(account.path, content=pieces(), headers=headers)

    assert [whole.status_code, chunked.status_code] == [413, 413]
    assert await gateway.rows(brand_id) == []


async def test_a_get_is_proven_and_stores_nothing(gateway, aurora):
    brand_id, client = aurora
    account = await gateway.telegram(client)

    headers = {"x-telegram-bot-api-secret-token": account.secret}
    right = await gateway.http.get(account.path, headers=headers)
    wrong = await gateway.http.get(account.path)
    other = await gateway.http.put(account.path, headers=headers)

    assert [right.status_code, wrong.status_code, other.status_code] == [200, 401, 405]
    assert await gateway.rows(brand_id) == []


async def test_a_query_string_of_any_kind_is_stored(gateway, aurora):
    brand_id, client = aurora
    account = await gateway.telegram(client)
    headers = {"x-telegram-bot-api-secret-token": account.secret}

    answer = await gateway.http.post(
        f"{account.path}?a=%00&b=%ff%fe&c", content=b"{}", headers=headers
    )

    assert answer.status_code == 200
    (row,) = await gateway.rows(brand_id)
    assert set(row["request"]["query"]) == {"a", "b", "c"}


async def test_the_secret_of_the_platform_is_not_stored(gateway, aurora, urls, owner_database):
    _, client = aurora
    account = await gateway.telegram(client)
    await gateway.hears(account, message(1, "ciao"))

    async with owner_database.connection() as connection:
        tables = await connection.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'gateway'"
        )
        for table in tables:
            rows = await connection.fetch(f"SELECT t::text AS row FROM gateway.{table[0]} t")
            assert not [row for row in rows if account.secret in row["row"]], table[0]
            # bytea is shown in hexadecimal.
            hidden = account.secret.encode().hex()
            assert not [row for row in rows if hidden in row["row"]], table[0]


async def test_a_deleted_account_is_refused_within_a_second(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)
    assert (await gateway.hears(account, message(1, "ciao"))).status_code == 200

    assert (await client.delete(f"/v1/accounts/{account.id}")).status_code == 204
    gateway.house.routes._known.clear()

    assert (await gateway.hears(account, message(2, "ciao"))).status_code == 401


async def test_a_full_intake_is_503_and_not_200(gateway, aurora):
    brand_id, client = aurora
    account = await gateway.telegram(client)
    gateway.house.intake._capacity = 0

    answer = await gateway.hears(account, message(1, "ciao"))

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert await gateway.rows(brand_id) == []
