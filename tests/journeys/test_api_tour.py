"""A tour of the public API, first half: what a brand sets up, and how it is told what is wrong.

The shapes are those that people's scripts rely on: these names are there, whatever else is.
"""

import asyncio
import io

import pytest
from PIL import Image

from channels.telegram.simulator import OWN_TOKEN

STORY = {"title": "Autunno", "language": "it", "frames": [{"text": "Una tazza calda."}]}
UNKNOWN = "019ab0c4-7c00-7000-8000-0000000000ff"


def shaped(body, names):
    """Assert that these names are there; return the body."""
    assert set(names.split()) <= set(body), body
    return body


def picture(kind="JPEG"):
    file = io.BytesIO()
    Image.new("RGB", (90, 160), "brown").save(file, kind)
    return file.getvalue()


async def refused(house, status, code, method, path, **args):
    """Assert that a call is refused as RFC 9457 has it; return the pointers at what is wrong."""
    headers = {"authorization": f"Bearer {house.key}", **args.pop("headers", {})}
    answer = await house.api.request(method, path, headers=headers, **args)
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = shaped(answer.json(), "type title status code detail")
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert problem["detail"].endswith(".")
    return [each["pointer"] for each in problem.get("errors", ())]


async def another_brand(house):
    """Return the headers of a brand that has nothing to do with the house's."""
    brand = {"name": "B", "country": "DE", "languages": ["de"], "timezone": "Europe/Berlin"}
    headers = {"authorization": "Bearer operator-key-of-a-test"}
    made = await house.call("POST", "/v1/brands", json=brand, headers=headers, expect=201)
    return {"authorization": f"Bearer {shaped(made, 'id api_key')['api_key']}"}


async def test_a_key_opens_what_its_scopes_name_until_it_is_deleted(house):
    wanted = {"name": "till", "scopes": ["consents:read"]}
    key = await house.call("POST", "/v1/keys", json=wanted, expect=201)
    shaped(key, "id name scopes expires_at api_key")
    till = {"authorization": f"Bearer {key['api_key']}"}
    question = {"channel": "telegram", "purpose": "marketing", "addresses": ["1"]}

    await house.call("POST", "/v1/consents/check", json=question, headers=till)
    await refused(house, 403, "missing_scope", "GET", "/v1/stories", headers=till)
    past = {**wanted, "expires_at": "2020-01-01T00:00:00Z"}
    assert await refused(house, 422, "invalid", "POST", "/v1/keys", json=past) == ["/expires_at"]
    listed = shaped(await house.call("GET", "/v1/keys"), "items next")
    assert all("api_key" not in each for each in listed["items"])

    await house.call("DELETE", f"/v1/keys/{key['id']}", expect=204)
    await refused(
        house, 401, "unauthenticated", "POST", "/v1/consents/check", json=question, headers=till
    )


async def test_an_account_keeps_what_a_change_leaves_out(house):
    channels = await house.call("GET", "/v1/channels")
    assert {each["name"] for each in channels["items"]} >= {"telegram", "webhook"}
    path = f"/v1/accounts/{house.account_id}"
    account = shaped(await house.call("GET", path), "id channel name status webhook_url")
    assert account["status"] == "connected"
    assert account["webhook_url"].endswith(f"/webhooks/telegram/{account['id']}")

    renamed = await house.call("PATCH", path, json={"name": "Il bot"})
    same_bot = await house.call("PATCH", path, json={"credentials": {"token": OWN_TOKEN}})
    # Its server stayed the sandbox: a token alone does not lead to the platform's own.
    again = await house.call("POST", f"{path}/connect")
    other = {"credentials": {"token": "7000000777:" + "A" * 35}}
    other_bot = await house.call("PATCH", path, json=other)

    assert (renamed["name"], same_bot["status"], again["status"]) == (
        "Il bot",
        "connected",
        "connected",
    )
    assert (other_bot["status"], other_bot["platform_id"], other_bot["platform_name"]) == (
        "new",
        "7000000777",
        None,
    )
    assert other_bot == await house.call("GET", path)


async def test_what_another_brand_has_is_not_there(house):
    story = await house.call("POST", "/v1/stories", json=STORY, expect=201)
    endpoint = {"url": f"{house.sandbox_url}/hook/crm", "types": []}
    callback = await house.call("POST", "/v1/callbacks", json=endpoint, expect=201)
    stranger = await another_brand(house)
    theirs = [
        ("GET", f"/v1/accounts/{house.account_id}", None),
        ("PATCH", f"/v1/accounts/{house.account_id}", {"name": "mine"}),
        ("DELETE", f"/v1/accounts/{house.account_id}", None),
        ("GET", f"/v1/stories/{story['id']}", None),
        ("DELETE", f"/v1/stories/{story['id']}", None),
        ("GET", f"/v1/stories/{story['id']}/renderings", None),
        ("PATCH", f"/v1/callbacks/{callback['id']}", {"enabled": False}),
        ("DELETE", f"/v1/callbacks/{callback['id']}", None),
        ("POST", f"/v1/callbacks/{callback['id']}/rotate", None),
        ("POST", f"/v1/campaigns/{UNKNOWN}/launch", None),
    ]

    for method, path, body in theirs:
        await refused(house, 404, "not_found", method, path, json=body, headers=stranger)
    assert (await house.call("GET", "/v1/stories", headers=stranger))["items"] == []


async def test_media_are_what_their_bytes_are(house):
    jpeg, png = picture(), picture("PNG")
    made = await house.call("POST", "/v1/media", files={"file": ("a.jpg", jpeg)}, expect=201)
    again = await house.call("POST", "/v1/media", files={"file": ("b.jpg", jpeg)}, expect=201)
    other = await house.call("POST", "/v1/media", files={"file": ("a.jpg", png)}, expect=201)

    shaped(made, "id sha256 kind width height seconds bytes")
    assert (made["kind"], made["width"], made["height"]) == ("image", 90, 160)
    assert made["bytes"] == len(jpeg)
    assert again == made
    assert other["mime"] == "image/png"
    text = {"files": {"file": ("a.jpg", b"words")}}
    await refused(house, 422, "unsupported_media", "POST", "/v1/media", **text)


async def test_a_story_says_what_becomes_of_it_on_each_channel(house):
    files = {"file": ("a.jpg", picture())}
    media = await house.call("POST", "/v1/media", files=files, expect=201)
    button = {"label": "Prenota", "url": "https://aurora.example/autunno"}
    frames = [{"media_id": media["id"], "text": "Ciao", "alt": "Una tazza", "button": button}]
    story = {**STORY, "frames": frames, "variants": {"en": {"frames": [{"text": "a" * 5_000}]}}}
    made = await house.call("POST", "/v1/stories", json=story, expect=201)

    shaped(made, "id title language frames variants expires_after findings")
    codes = {(each["channel"], each["language"], each["code"]) for each in made["findings"]}
    assert codes == {("telegram", "it", "alt_dropped"), ("telegram", "en", "shortened")}
    path = f"/v1/stories/{made['id']}"
    found = await house.call("GET", f"{path}/renderings", params={"channel": "telegram"})
    italian, english = shaped(found, "items next")["items"]
    (part,) = shaped(italian, "channel language parts findings")["parts"]
    assert (part["method"], part["params"]["caption"]) == ("sendPhoto", "Ciao")
    assert {each["level"] for each in english["findings"]} == {"warning"}
    changed = await house.call("PATCH", path, json={"title": "Inverno"})
    assert (changed["title"], changed["frames"]) == ("Inverno", made["frames"])
    await house.call("DELETE", path, expect=204)
    await refused(house, 404, "not_found", "GET", path)


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"frames": []}, ["/frames"]),
        ({"frames": [{"media_id": UNKNOWN}]}, ["/frames/0/media_id"]),
        ({"frames": [{"button": {"label": "x", "url": "ftp://x"}}]}, ["/frames/0/button/url"]),
        ({"language": "italiano", "colour": 1}, ["/language", "/colour"]),
        ({"title": "a\0b"}, ["/title"]),
    ],
)
async def test_what_is_wrong_is_pointed_at(house, change, pointers):
    body = {**STORY, **change}
    assert await refused(house, 422, "invalid", "POST", "/v1/stories", json=body) == pointers


async def test_every_error_is_a_problem(house):
    json = {"content-type": "application/json"}
    unread = (400, "malformed_json", "POST", "/v1/stories")

    await refused(house, *unread, content=b"{", headers=json)
    await refused(house, *unread, content=b'"\xff"', headers=json)
    await refused(house, *unread, content=b"[" * 100_000, headers=json)
    await refused(house, 415, "unsupported_media_type", "POST", "/v1/stories", content=b"{}")
    await refused(house, 413, "too_large", "POST", "/v1/stories", json={"title": "a" * 2_000_000})
    await refused(house, 405, "method_not_allowed", "PUT", "/v1/stories")
    await refused(house, 404, "not_found", "GET", "/v1/nothing")
    await refused(house, 422, "invalid", "GET", "/v1/stories", params={"cursor": "x"})
    for authorization in ("", "Basic x", "Bearer x"):
        headers = {"authorization": authorization}
        await refused(house, 401, "unauthenticated", "GET", "/v1/stories", headers=headers)


async def test_a_repeat_is_made_once(house):
    once = {"headers": {"idempotency-key": "autunno-1"}}
    first = await house.call("POST", "/v1/stories", json=STORY, **once)
    other = {**STORY, "title": "Inverno"}
    at_once = await asyncio.gather(
        *(
            house.api.post(
                "/v1/stories",
                json=STORY,
                headers={"authorization": f"Bearer {house.key}", "idempotency-key": "autunno-2"},
            )
            for _ in range(6)
        )
    )

    assert await house.call("POST", "/v1/stories", json=STORY, **once) == first
    args = {"json": other, "headers": {"idempotency-key": "autunno-1"}}
    await refused(house, 422, "idempotency_key_reused", "POST", "/v1/stories", **args)
    assert {each.status_code for each in at_once} <= {201, 409}
    assert len({each.json()["id"] for each in at_once if each.status_code == 201}) == 1
    assert len((await house.call("GET", "/v1/stories"))["items"]) == 2


async def test_lists_are_read_page_by_page_and_the_pace_is_told(house):
    made = [await house.call("POST", "/v1/stories", json=STORY) for _ in range(3)]
    page = await house.call("GET", "/v1/stories", params={"limit": 2})
    rest = await house.call("GET", "/v1/stories", params={"limit": 2, "cursor": page["next"]})
    answer = await house.api.get(
        "/v1/stories", headers={"authorization": f"Bearer {house.key}"}, params={"limit": 3}
    )

    found = [each["id"] for each in page["items"] + rest["items"]]
    assert sorted(found) == sorted(each["id"] for each in made)
    assert rest["next"] is None
    assert answer.json()["next"] is None
    assert {"ratelimit", "ratelimit-policy"} <= set(answer.headers)
