"""A tour of the public API, second half: who said yes, what they get, and what a brand is told."""

import asyncio

import httpx

from tests.house import BOT

STORY = {"title": "Autunno", "language": "it", "frames": [{"text": "Uno"}]}
TOTALS = (
    "accepted queued claimed sending sent delivered read refused unknown partial cancelled withheld"
)
UNKNOWN = "019ab0c4-7c00-7000-8000-0000000000ff"


def shaped(body, names):
    """Assert that these names are there; return the body."""
    assert set(names.split()) <= set(body), body
    return body


async def drafted(house, **more):
    """Return a draft to everyone."""
    story = await house.call("POST", "/v1/stories", json=STORY, expect=201)
    body = {
        "name": "Autunno",
        "story_id": story["id"],
        "purpose": "marketing",
        "account_ids": [str(house.account_id)],
        "audience": {"everyone": True},
        **more,
    }
    return await house.call("POST", "/v1/campaigns", json=body, expect=201)


async def pointed_at(house, path, body):
    """Return what is wrong with a body."""
    answer = await house.call("POST", path, json=body, expect=422)
    return [each["pointer"] for each in answer["errors"]]


async def test_a_campaign_from_draft_to_the_last_message(house):
    ada, bea, _ = await house.people(3)
    await house.consent(bea, "revoke")
    draft = await drafted(house)
    path = f"/v1/campaigns/{draft['id']}"
    assert draft["status"] == "draft"
    assert set(draft["totals"]) == set(TOTALS.split())

    ahead = await house.call("POST", f"{path}/preflight")
    shaped(ahead, "eligible excluded expected_finish_at findings")
    assert (ahead["eligible"], ahead["excluded"]) == (2, {"revoked": 1})
    await house.call("POST", f"{path}/pause", expect=409)
    async with house.telegram.holding() as arrived:
        assert (await house.call("POST", f"{path}/launch"))["status"] == "running"
        await arrived.wait()
        assert (await house.call("POST", f"{path}/pause"))["status"] == "paused"
        assert (await house.call("POST", f"{path}/resume"))["status"] == "running"
    totals = await house.finished(draft["id"])

    assert (totals["accepted"], totals["sent"]) == (2, 2)
    page = await house.call("GET", f"{path}/messages", params={"status": "sent", "limit": 1})
    rest = await house.call("GET", f"{path}/messages", params={"cursor": page["next"]})
    messages = [*page["items"], *rest["items"]]
    assert len(messages) == 2
    assert rest["next"] is None
    for message in messages:
        assert message == await house.call("GET", f"/v1/messages/{message['id']}")
        shaped(message, "id account_id address purpose status reason receipts consent_event_id")
        (attempt,) = message["attempts"]
        assert (attempt["outcome"], len(attempt["platform_ids"])) == ("sent", 1)
    assert ada in {message["address"] for message in messages}
    await house.call("POST", f"{path}/cancel", expect=409)


async def test_a_campaign_of_later_can_be_stopped_before_it_begins(house):
    await house.people(1)
    draft = await drafted(house, send_at="2099-01-01T10:00:00Z")
    path = f"/v1/campaigns/{draft['id']}"

    steps = [("launch", "scheduled"), ("pause", "paused"), ("resume", "scheduled")]
    for step, status in (*steps, ("cancel", "cancelled")):
        assert (await house.call("POST", f"{path}/{step}"))["status"] == status
    assert (await house.totals(draft["id"]))["accepted"] == 0


async def test_a_campaign_that_cannot_be_is_refused_with_the_reason(house):
    good = {key: (await drafted(house))[key] for key in ("name", "story_id", "account_ids")}
    good["audience"] = {"everyone": True}
    wrong = [
        ({"deadline": "2020-01-01T00:00:00Z"}, "/deadline"),
        ({"story_id": UNKNOWN}, "/story_id"),
        ({"account_ids": [UNKNOWN]}, "/account_ids/0"),
        ({"audience": {}}, "/audience"),
        ({"audience": {"addresses": ["@ada"]}}, "/audience/addresses/0"),
        ({"recipient_local_time": True}, "/send_at"),
    ]
    for change, pointer in wrong:
        assert await pointed_at(house, "/v1/campaigns", {**good, **change}) == [pointer]


async def test_one_message_to_one_person(house):
    ada, bea = await house.people(2)
    await house.consent(bea, "revoke")
    one = {"account_id": str(house.account_id), "purpose": "marketing", "content": {"text": "Ciao"}}
    made = await house.call("POST", "/v1/messages", json={**one, "address": ada}, expect=201)
    held = await house.call("POST", "/v1/messages", json={**one, "address": bea}, expect=201)
    await house.until(lambda: house.shown(ada))

    assert made["status"] == "queued"
    assert (held["status"], held["reason"]) == ("withheld", "revoked")
    blank = {**one, "address": ada, "content": {"text": " "}}
    assert await pointed_at(house, "/v1/messages", blank) == ["/content/text"]
    nothing = {**one, "address": ada, "content": {}}
    assert await pointed_at(house, "/v1/messages", nothing) == ["/content"]


async def test_a_yes_and_a_no_with_their_evidence(house):
    (ada,) = await house.people(1, granted=False)
    said = {"source": "form", "wording": "Sì", "wording_version": "1", "language": "it"}
    granted = await house.consent(ada, "grant", evidence={**said, "at": "2026-01-01T00:00:00Z"})
    assert granted["state"] == "granted"
    shaped(granted, "id state effective_at receipt")
    person = (
        await house.call("GET", "/v1/people", params={"channel": "telegram", "address": ada})
    )["items"][0]
    path = f"/v1/people/{person['id']}"

    change = {"tags": ["espresso"], "attributes": {"city": "Torino"}, "timezone": "Europe/Rome"}
    changed = await house.call("PATCH", path, json=change)
    assert {name: changed[name] for name in change} == change
    revoked = await house.consent(ada, "revoke", scope="brand")
    assert revoked["state"] == "revoked"
    assert await house.allowed(ada) == "revoked"
    entries = (await house.call("GET", f"{path}/history"))["items"]
    assert [each["action"] for each in entries] == ["grant", "revoke"]
    assert entries[0]["evidence"]["wording"] == "Sì"
    assert entries[1]["scope"] == "brand"

    body = {"account_id": str(house.account_id), "address": ada, "action": "grant"}
    future = {**said, "at": "2099-01-01T00:00:00Z"}
    for wrong, pointer in [
        (body, "/evidence"),
        ({**body, "evidence": said, "scope": "brand"}, "/scope"),
        ({**body, "evidence": said, "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({**body, "evidence": future}, "/evidence/at"),
        ({**body, "evidence": said, "address": "@ada"}, "/address"),
    ]:
        assert await pointed_at(house, "/v1/consents", wrong) == [pointer]


async def test_a_brand_is_called_back_signed_and_again_when_it_asks(house):
    (ada,) = await house.people(1)
    wanted = {"url": f"{house.sandbox_url}/hook/crm", "types": ["message.received"]}
    made = await house.call("POST", "/v1/callbacks", json=wanted, expect=201)
    path = f"/v1/callbacks/{made['id']}"
    assert made["secret"].startswith("whsec_")
    assert "secret" not in await house.call("GET", path)
    house.say(ada, "Avete il decaffeinato?")

    async def attempts(count):
        page = await house.call("GET", f"{path}/attempts")
        return page["items"] if len(page["items"]) >= count else None

    await house.until(lambda: attempts(1))
    (attempt,) = await attempts(1)
    assert (attempt["status"], attempt["http_status"]) == ("delivered", 200)
    redo = {"event_id": attempt["event_id"]}
    answer = await house.call("POST", f"{path}/redeliver", json=redo, expect=202)
    assert answer == {"queued": 1}
    await house.until(lambda: attempts(2))
    await house.call("POST", f"/v1/events/{attempt['event_id']}/replay")
    await house.until(lambda: attempts(3))
    rotated = await house.call("POST", f"{path}/rotate")
    assert rotated["secret"] != made["secret"]
    switched_off = await house.call("PATCH", path, json={"enabled": False})
    assert switched_off["enabled"] is False
    for url in (
        "https://10.0.0.1/",
        "https://[::1]/",
        "http://example.com/",
        "https://x.internal/",
    ):
        assert await pointed_at(house, "/v1/callbacks", {**wanted, "url": url}) == ["/url"]
    await house.call("DELETE", path, expect=204)
    await house.call("GET", path, expect=404)
    await house.call("DELETE", path, expect=404)


async def test_events_are_listed_and_followed(house):
    (ada,) = await house.people(1)
    heard: list[str] = []
    headers = {"authorization": f"Bearer {house.key}"}
    params = {"type": "message.received"}
    async with (
        httpx.AsyncClient(base_url=house.gateway_url, headers=headers, timeout=30) as client,
        client.stream("GET", "/v1/events/stream", params=params) as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        house.say(ada, "uno")
        async with asyncio.timeout(20):
            async for line in stream.aiter_lines():
                heard.append(line)
                if line.startswith("data:"):
                    break
    house.say(ada, "due")

    async def both():
        return len((await house.call("GET", "/v1/events", params=params))["items"]) == 2

    await house.until(both)
    page = await house.call("GET", "/v1/events", params={**params, "limit": 1})
    rest = await house.call("GET", "/v1/events", params={**params, "cursor": page["next"]})
    (newest,), (oldest,) = page["items"], rest["items"]
    shaped(newest, "id type timestamp data")
    assert (oldest["data"]["text"], newest["data"]["text"]) == ("uno", "due")
    assert "event: message.received" in heard
    assert oldest["id"] in heard[-1]
    await house.call("GET", "/v1/events", params={"type": "nothing.happened"}, expect=422)


async def test_a_brands_own_system_is_a_channel_too(house):
    webhook = {"channel": "webhook", "name": "Chat"}
    url = f"{house.sandbox_url}/hook/chat"
    account = await house.call(
        "POST", "/v1/accounts", json={**webhook, "credentials": {"url": url}}
    )
    assert account["generated"]["secret"].startswith("whsec_")
    await house.call("POST", f"/v1/accounts/{account['id']}/connect")
    platform = house.sandbox.world.platform("webhook")
    (ada,) = platform.make_people("chat", count=1)
    yes = {"account_id": account["id"], "evidence": {"source": "test", "wording": "Sì"}}
    await house.consent(ada, "grant", **yes)
    campaign = await drafted(house, account_ids=[account["id"]])
    await house.call("POST", f"/v1/campaigns/{campaign['id']}/launch")
    totals = await house.finished(campaign["id"])
    platform.say("chat", ada, "STOP")

    async def revoked():
        question = {"account_id": account["id"], "purpose": "marketing", "addresses": [ada]}
        answer = await house.call("POST", "/v1/consents/check", json=question)
        return answer["results"][0]["reason"] == "revoked"

    await house.until(revoked)
    assert totals["sent"] == totals["accepted"] == 1
    assert "Uno" in platform.phone(ada)[0]["text"]
    assert house.telegram.phone((await house.people(1))[0], BOT) == []
