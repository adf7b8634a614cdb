"""The rest of the API: what is passed on, and what is refused before it is."""

import pytest

from shared.ids import new_id
from tests.gateway.gateways import BRAND, OPERATOR_KEY

STORY = {"title": "Autunno", "language": "it", "frames": [{"text": "Ciao"}]}
JSON = {"content-type": "application/json"}


async def test_a_story_and_its_campaign_go_their_way(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)
    story = (await client.post("/v1/stories", json=STORY)).json()
    body = {
        "name": "c",
        "story_id": story["id"],
        "account_ids": [str(account.id)],
        "audience": {"everyone": True},
    }

    made = await client.post("/v1/campaigns", json=body)
    campaign_id = made.json()["id"]
    launched = await client.post(f"/v1/campaigns/{campaign_id}/launch")

    assert (made.status_code, made.json()["status"]) == (201, "draft")
    assert (launched.status_code, launched.json()["status"]) == (200, "running")
    assert [(str(c), step) for c, step in gateway.desk.steps] == [(campaign_id, "launch")]


async def test_a_launch_that_is_repeated_launches_once(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)
    story = (await client.post("/v1/stories", json=STORY)).json()
    body = {
        "name": "c",
        "story_id": story["id"],
        "account_ids": [str(account.id)],
        "audience": {"everyone": True},
    }
    path = f"/v1/campaigns/{(await client.post('/v1/campaigns', json=body)).json()['id']}"

    for step in ("launch", "launch", "pause"):
        await client.post(f"{path}/{step}", headers={"idempotency-key": step})

    assert [step for _, step in gateway.desk.steps] == ["launch", "pause"]


async def test_another_brands_story_is_404(gateway, aurora):
    _, client = aurora
    _, theirs = await gateway.brand(name="Borealis")
    story = (await client.post("/v1/stories", json=STORY)).json()

    assert (await client.get(f"/v1/stories/{story['id']}")).status_code == 200
    assert (await theirs.get(f"/v1/stories/{story['id']}")).status_code == 404


async def test_one_message_to_one_person(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)
    body = {"address": " 42 ", "purpose": "service", "content": {"text": "Pronto"}}

    by_id = await client.post("/v1/messages", json={**body, "account_id": str(account.id)})
    by_channel = await client.post("/v1/messages", json={**body, "channel": "telegram"})
    reply = await client.post(
        "/v1/messages", json={**body, "channel": "telegram", "purpose": "reply"}
    )

    assert [by_id.status_code, by_channel.status_code, reply.status_code] == [201, 201, 422]
    assert {m.address for m in gateway.desk.messages.values()} == {"42"}
    assert {m.account_id for m in gateway.desk.messages.values()} == {account.id}


async def test_a_picture_is_uploaded_as_it_is(gateway, aurora):
    _, client = aurora
    data = bytes(range(256)) * 8_000

    answer = await client.post("/v1/media", files={"file": ("tazza è.jpg", data, "image/jpeg")})
    empty = await client.post("/v1/media", files={"file": ("x.jpg", b"", "image/jpeg")})
    none = await client.post("/v1/media", data={"other": "x"})

    assert answer.status_code == 201
    mime, name, sent = gateway.desk.media[0]
    assert (mime, sent) == ("image/jpeg", data)
    assert name.isascii()
    assert [empty.status_code, none.status_code] == [422, 422]
    assert len(gateway.desk.media) == 1


async def test_a_file_that_is_too_large_is_413(gateway, aurora, monkeypatch):
    _, client = aurora
    monkeypatch.setattr("services.gateway.api.media.LARGEST", 1_000)

    answer = await client.post("/v1/media", files={"file": ("x.jpg", b"x" * 1_001, "image/jpeg")})

    assert answer.status_code == 413
    assert gateway.desk.media == []


async def test_a_body_that_is_too_large_is_413(gateway, aurora):
    _, client = aurora
    answer = await client.post("/v1/stories", content=b" " * (1024 * 1024 + 1), headers=JSON)

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_callback_is_named_and_its_secret_shown(gateway, aurora):
    _, client = aurora
    body = {"url": "https://crm.example/x", "types": ["message.received"]}
    headers = {"idempotency-key": "crm"}

    made = await client.post("/v1/callbacks", json=body, headers=headers)
    again = await client.post("/v1/callbacks", json=body, headers=headers)

    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    assert made.content == again.content


async def test_events_are_listed_and_streamed(gateway, aurora):
    _, client = aurora

    listed = await client.get("/v1/events?type=message.received")
    stream = await client.get("/v1/events/stream", headers={"last-event-id": "17"})
    wrong = await client.get("/v1/events?type=message.eaten")

    assert listed.json() == {"items": [], "next": None}
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert "data: 17" in stream.text
    assert wrong.status_code == 422


async def test_a_person_is_found_changed_and_not_anothers(gateway, aurora):
    _, client = aurora
    _, theirs = await gateway.brand(name="Borealis")
    await gateway.telegram(client)
    grant = {
        "channel": "telegram",
        "address": "42",
        "action": "grant",
        "evidence": {"source": "till"},
    }
    await client.post("/v1/consents", json=grant)

    (person,) = (await client.get("/v1/people?channel=telegram&address=42")).json()["items"]
    path = f"/v1/people/{person['id']}"
    changed = await client.patch(path, json={"tags": ["espresso"], "language": "it"})
    history = await client.get(f"{path}/history?limit=1")

    assert changed.json()["tags"] == ["espresso"]
    assert history.json()["items"][0]["action"] == "grant"
    assert (await client.get("/v1/people?channel=telegram&address=43")).json()["items"] == []
    assert (await client.get("/v1/people?address=42")).status_code == 422
    assert (await client.get(f"{path}/history?cursor=x")).status_code == 422
    assert (await client.patch(path, json={"timezone": "Moon/Sea"})).status_code == 422
    for method, url in (("GET", path), ("PATCH", path), ("GET", f"{path}/history")):
        json = {"language": "en"} if method == "PATCH" else None
        assert (await theirs.request(method, url, json=json)).status_code == 404


async def test_a_brand_needs_a_real_time_zone(gateway):
    headers = {"authorization": f"Bearer {OPERATOR_KEY}"}
    for zone in ("Moon/Sea", "../etc/passwd", "", "Europe/Rome\x00"):
        answer = await gateway.http.post(
            "/v1/brands", json={**BRAND, "timezone": zone}, headers=headers
        )
        assert answer.status_code == 422, zone


BROKEN = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"x"',
    b"\xff\xfe",
    b'{"title": NaN}',
    b'{"title": "a\\u0000b", "language": "it", "frames": [{"text": "x"}]}',
    b'{"title": "a\\ud800b", "language": "it", "frames": [{"text": "x"}]}',
    b'{"title": "a\xed\xa0\x80b", "language": "it", "frames": [{"text": "x"}]}',
    b"[" * 100_000,
    b'{"title": ' + b"9" * 10_000 + b"}",
]


async def test_a_broken_body_is_a_clear_error_and_never_ours(gateway, aurora):
    _, client = aurora
    for path in ("/v1/stories", "/v1/consents", "/v1/accounts", "/v1/consents/check"):
        for body in BROKEN:
            answer = await client.post(path, content=body, headers=JSON)
            assert answer.status_code in (400, 422), (path, body[:60], answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
    assert gateway.desk.stories == {}


async def test_nul_in_the_address_bar_is_422(gateway, aurora):
    _, client = aurora
    for url in ("/v1/people?channel=telegram&address=%00", "/v1/events?cursor=%00"):
        assert (await client.get(url)).status_code == 422


async def test_what_is_not_there_is_404_or_405(gateway, aurora):
    _, client = aurora

    nowhere = await client.get("/v1/nowhere")
    wrong_id = await client.get("/v1/stories/x")
    unknown = await client.get(f"/v1/stories/{new_id()}")
    put = await client.put("/v1/stories")

    codes = [answer.status_code for answer in (nowhere, wrong_id, unknown, put)]
    assert codes == [404, 422, 404, 405]
    assert put.headers["allow"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_it_says_that_it_lives(gateway, path):
    assert (await gateway.http.get(path)).status_code == 200


async def test_without_its_tables_it_is_not_ready(gateway, owner_database):
    async with owner_database.connection() as connection:
        await connection.execute("ALTER TABLE gateway.inbox RENAME TO outbox")

    answer = await gateway.http.get("/readyz")

    assert (answer.status_code, answer.json()["code"]) == (503, "not_migrated")
    assert (await gateway.http.get("/healthz")).status_code == 200
