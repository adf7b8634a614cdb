"""The same call twice: made once, answered twice."""

import asyncio
from datetime import timedelta

import pytest

from services.gateway.idempotency import read_key
from shared import clock
from shared.problems import Problem
from tests.gateway.gateways import BRAND, OPERATOR_KEY, until

STORY = {"title": "Autunno", "language": "it", "frames": [{"text": "Ciao"}]}
KEY = {"idempotency-key": "the-one"}


async def test_a_repeat_gets_the_first_answer_and_makes_nothing(gateway, aurora):
    _, client = aurora

    first = await client.post("/v1/stories", json=STORY, headers=KEY)
    again = await client.post("/v1/stories", json=STORY, headers=KEY)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len(gateway.desk.stories) == 1


async def test_without_a_key_two_calls_are_two_things(gateway, aurora):
    _, client = aurora
    ids = {(await client.post("/v1/stories", json=STORY)).json()["id"] for _ in range(2)}
    assert len(ids) == 2


async def test_the_same_key_is_another_key_elsewhere(gateway, aurora):
    _, client = aurora
    _, theirs = await gateway.brand(name="Borealis")

    ours = await client.post("/v1/stories", json=STORY, headers=KEY)
    other_brand = await theirs.post("/v1/stories", json=STORY, headers=KEY)
    other_route = await client.post(
        "/v1/keys", json={"name": "k", "scopes": ["keys:read"]}, headers=KEY
    )

    assert {r.status_code for r in (ours, other_brand, other_route)} == {201}
    assert "idempotency-replayed" not in other_brand.headers
    assert ours.json()["id"] != other_brand.json()["id"]


async def test_the_same_key_with_another_request_is_422(gateway, aurora):
    _, client = aurora
    await client.post("/v1/stories", json=STORY, headers=KEY)

    answer = await client.post("/v1/stories", json={**STORY, "title": "Inverno"}, headers=KEY)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert len(gateway.desk.stories) == 1


async def test_while_the_first_is_running_it_is_409(gateway, aurora):
    _, client = aurora
    gateway.desk.answering.clear()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(client.post("/v1/stories", json=STORY, headers=KEY))
        await until(lambda: _keys_in_use(gateway, aurora[0]))
        second = await client.post("/v1/stories", json=STORY, headers=KEY)
        other = await client.post("/v1/stories", json={**STORY, "title": "x"}, headers=KEY)
        gateway.desk.answering.set()

    assert (second.status_code, second.json()["code"]) == (409, "idempotency_key_in_use")
    assert second.headers["retry-after"]
    assert other.status_code == 422
    assert first.result().status_code == 201


async def test_fifty_at_once_make_one(gateway, aurora):
    _, client = aurora
    answers = await asyncio.gather(
        *(client.post("/v1/stories", json=STORY, headers=KEY) for _ in range(50))
    )

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len(gateway.desk.stories) == 1
    again = await client.post("/v1/stories", json=STORY, headers=KEY)
    assert again.status_code == 201


async def test_what_failed_on_our_side_may_be_tried_again_and_makes_the_same_thing(gateway, aurora):
    brand_id, client = aurora
    gateway.desk.down = True
    failed = await client.post("/v1/stories", json=STORY, headers=KEY)
    async with gateway.house.database.connection(brand_id) as connection:
        reserved = await connection.fetchval("SELECT resource_id FROM gateway.idempotency")
    gateway.desk.down = False

    done = await client.post("/v1/stories", json=STORY, headers=KEY)

    assert failed.status_code == 503
    assert failed.headers["retry-after"]
    assert done.status_code == 201
    assert done.json()["id"] == str(reserved)


async def test_a_call_that_died_in_the_middle_is_taken_up_after_a_minute(
    gateway, aurora, monkeypatch
):
    brand_id, client = aurora
    await client.post("/v1/stories", json=STORY, headers=KEY)
    async with gateway.house.database.connection(brand_id) as connection:
        reserved = await connection.fetchval(
            "UPDATE gateway.idempotency SET done = false, locked_until = $1, answer = NULL"
            " RETURNING resource_id",
            clock.now() + timedelta(seconds=60),
        )

    too_early = await client.post("/v1/stories", json=STORY, headers=KEY)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=61))
    later = await client.post("/v1/stories", json=STORY, headers=KEY)

    assert too_early.status_code == 409
    assert later.status_code == 201
    assert later.json()["id"] == str(reserved)


async def test_a_lasting_refusal_is_given_again_without_a_second_try(gateway, aurora):
    _, client = aurora
    body = {
        "name": "c",
        "story_id": "019ab0c4-7c00-7000-8000-000000000005",
        "account_ids": ["019ab0c4-7c00-7000-8000-000000000003"],
        "audience": {"everyone": True},
    }
    first = await client.post("/v1/campaigns", json=body, headers=KEY)
    calls = dict(gateway.desk.calls)
    again = await client.post("/v1/campaigns", json=body, headers=KEY)

    assert (first.status_code, first.json()["code"]) == (422, "unknown_story")
    assert first.content == again.content
    assert gateway.desk.calls == calls


async def test_a_body_that_was_wrong_may_be_put_right(gateway, aurora):
    _, client = aurora
    wrong = await client.post("/v1/stories", json={"title": "x"}, headers=KEY)
    right = await client.post("/v1/stories", json=STORY, headers=KEY)

    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid")
    assert right.status_code == 201


async def test_after_three_days_a_key_is_new_again(gateway, aurora, monkeypatch):
    _, client = aurora
    first = await client.post("/v1/stories", json=STORY, headers=KEY)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=73))
    monkeypatch.setattr("shared.security.service_tokens.LIFETIME", 10**9)

    other = await client.post("/v1/stories", json={**STORY, "title": "Inverno"}, headers=KEY)

    assert other.status_code == 201
    assert other.json()["id"] != first.json()["id"]


async def test_a_brand_made_twice_has_one_key_that_works(gateway):
    headers = {"authorization": f"Bearer {OPERATOR_KEY}", **KEY}
    first = await gateway.http.post("/v1/brands", json=BRAND, headers=headers)
    again = await gateway.http.post("/v1/brands", json=BRAND, headers=headers)

    assert first.content == again.content
    client = gateway.client(again.json()["api_key"])
    assert (await client.get("/v1/keys")).status_code == 200
    brands = await gateway.http.get("/v1/brands", headers=headers)
    assert len(brands.json()["items"]) == 1


def test_a_key_may_be_quoted_or_bare():
    assert read_key('"a b"') == read_key("a b") == "a b"
    assert read_key('"a \\" b"') == 'a " b'
    assert read_key(None) is None


@pytest.mark.parametrize("header", ["", '""', "x" * 256, "è", "a\x7f", "a\tb"])
def test_a_key_that_is_none_is_400(header):
    with pytest.raises(Problem) as refused:
        read_key(header)
    assert refused.value.status_code == 400


async def _keys_in_use(gateway, brand_id):
    async with gateway.house.database.connection(brand_id) as connection:
        return await connection.fetchval("SELECT count(*) FROM gateway.idempotency WHERE NOT done")
