"""Journey: a person asks what is known of them, and gets all of it and nothing of anybody else."""

from collections.abc import Iterator
from html.parser import HTMLParser
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.house import House
from tests.postgres import Urls

STORY = {"title": "t", "language": "it", "frames": [{"text": "Ciao a tutti"}]}
KINDS = ("wording", "words", "agent", "url", "attribute", "tag", "content")


def canary(address: str, what: str) -> str:
    return f"canary-{what}-{address}-end"


def canaries(address: str) -> set[str]:
    return {canary(address, what) for what in KINDS}


async def person_of(house: House, address: str) -> str:
    found = await house.call(
        "GET", "/v1/people", params={"channel": "telegram", "address": address}
    )
    return str(found["items"][0]["id"])


async def lived(house: House, address: str) -> str:
    """Let somebody have everything that the house can know of a person."""
    evidence = {
        "source": "web_form",
        "wording": canary(address, "wording"),
        "ip": f"203.0.113.{int(address) % 200 + 1}",
        "user_agent": canary(address, "agent"),
        "url": f"https://aurora.example/{canary(address, 'url')}",
        "text": canary(address, "words"),
    }
    for purpose in ("marketing", "service"):
        await house.consent(address, "grant", purpose=purpose, evidence=evidence)
    person_id = await person_of(house, address)
    change = {"tags": [canary(address, "tag")], "attributes": {"a": canary(address, "attribute")}}
    await house.call("PATCH", f"/v1/people/{person_id}", json=change)
    message = {
        "account_id": str(house.account_id),
        "address": address,
        "purpose": "service",
        "content": {"text": canary(address, "content")},
    }
    await house.call("POST", "/v1/messages", json=message)
    return person_id


async def export(house: House, person_id: str, **headers: str) -> str:
    answer = await house.api.get(
        f"/v1/people/{person_id}/export",
        headers={"authorization": f"Bearer {house.key}", **headers},
    )
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.fixture
async def two(house: House) -> tuple[str, str, str]:
    """Ada and Bea, who got the same campaign; the person, then the two addresses."""
    ada, bea = await house.people(2, granted=False)
    person_id = await lived(house, ada)
    await lived(house, bea)
    await house.finished(await house.campaign(STORY))
    await house.until(lambda: all(len(house.shown(each)) == 2 for each in (ada, bea)))
    return person_id, ada, bea


async def test_everything_of_hers_is_in_it_and_nothing_of_anybody_else(
    house: House, two: tuple[str, str, str]
) -> None:
    person_id, ada, bea = two
    told = await house.call("GET", f"/v1/people/{person_id}/export")
    text = await export(house, person_id)
    page = await export(house, person_id, accept="text/html,*/*;q=0.8")

    assert told["person"] == await house.call("GET", f"/v1/people/{person_id}")
    history = (await house.call("GET", f"/v1/people/{person_id}/history"))["items"]
    assert told["history"] == history
    assert len(history) == 2
    for message in told["messages"]:
        known = await house.call("GET", f"/v1/messages/{message['id']}")
        content = message.pop("content")
        assert message == known
        assert (message["status"], len(message["attempts"])) == ("sent", 1)
        assert content["parts"][0]["params"]["text"]
    assert {m["purpose"] for m in told["messages"]} == {"marketing", "service"}
    for each in (text, page):
        assert {name for name in canaries(ada) if name not in each} == set()
        assert {name for name in canaries(bea) if name in each} == set()
        assert f'"{bea}"' not in each
        assert f">{bea}<" not in each
        assert "Ciao a tutti" in each
        assert {m["id"] for m in told["messages"] if m["id"] not in each} == set()


class _Tags(HTMLParser):
    """Every tag of a page, and what was said between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


NASTY = (
    "</style><script>alert(1)</script><img src=x onerror=alert(2)>\"'><a href=javascript:x>{{7*7}}"
)


async def test_the_page_shows_what_people_wrote_as_words_and_runs_none_of_it(house: House) -> None:
    (ada,) = await house.people(1, granted=False)
    evidence = {"source": "web_form", "wording": NASTY, "user_agent": NASTY, "text": NASTY}
    await house.consent(ada, "grant", purpose="service", evidence=evidence)
    person_id = await person_of(house, ada)
    attributes = {"attributes": {NASTY[:60]: NASTY}}
    await house.call("PATCH", f"/v1/people/{person_id}", json=attributes)
    one = {"account_id": str(house.account_id), "address": ada, "purpose": "service"}
    await house.call("POST", "/v1/messages", json={**one, "content": {"text": NASTY}})
    answer = await house.api.get(
        f"/v1/people/{person_id}/export?format=html",
        headers={"authorization": f"Bearer {house.key}", "accept": "application/json"},
    )
    page = _Tags(answer.text)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert {"script", "img", "a", "link"} & set(page.tags) == set()
    assert not [name for name in page.attributes if name.startswith("on")]
    assert page.tags.count("style") == 1
    assert page.text.count(NASTY) >= 4
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"


MESSAGES = """
INSERT INTO dispatcher.message (brand_id, id, day, account_id, address, purpose, status, parts,
    part, due_at, created_at, content)
SELECT $1, gen_random_uuid(), current_date, $2, $3,
    'service', 'sent', 1, 1, now(), now() + make_interval(secs => n / 7),
    jsonb_build_object('parts', jsonb_build_array(
        jsonb_build_object('method', 'sendMessage', 'media', '[]'::jsonb,
            'params', jsonb_build_object('text', 'number ' || n))))
FROM generate_series(1, $4) AS n
"""


async def test_however_long_the_list_is_each_message_is_in_it_once_and_in_order(
    house: House, urls: Urls
) -> None:
    ada, bea = await house.people(2)
    connection = await asyncpg.connect(urls.owner)
    await connection.execute("SELECT set_config('app.brand', $1, false)", str(house.brand_id))
    for address in (ada, bea):
        await connection.execute(MESSAGES, house.brand_id, house.account_id, address, 1_050)
    await connection.close()
    told = await house.call("GET", f"/v1/people/{await person_of(house, ada)}/export")

    said = {message["content"]["parts"][0]["params"]["text"] for message in told["messages"]}
    assert said == {f"number {n}" for n in range(1, 1_051)}
    assert len(told["messages"]) == 1_050
    assert {message["address"] for message in told["messages"]} == {ada}
    times = [(message["created_at"], message["id"]) for message in told["messages"]]
    assert times == sorted(times)


async def test_who_became_another_is_in_the_others_export_and_has_none(house: House) -> None:
    ada, too = await house.people(2, granted=False)
    kept, gone = await lived(house, ada), await lived(house, too)
    merge = {"person_id": gone, "evidence": {"source": "support_desk"}}
    made = await house.call("POST", f"/v1/people/{kept}/merge", json=merge)
    refused = await house.call("GET", f"/v1/people/{gone}/export", expect=409)
    told = await house.call("GET", f"/v1/people/{kept}/export")
    page = await export(house, kept, accept="text/html")

    assert refused["code"] == "already_merged"
    (merged,) = told["merges"]
    assert (merged["id"], merged["person_id"], merged["into"]) == (made["id"], gone, kept)
    assert merged["addresses"] == [{"channel": "telegram", "address": too}]
    assert {entry["address"] for entry in told["history"]} == {ada, too}
    assert {message["address"] for message in told["messages"]} == {ada, too}
    assert gone in page
    split = {"merge_id": made["id"], "evidence": {"source": "support_desk"}}
    await house.call("POST", f"/v1/people/{kept}/split", json=split)
    told = await house.call("GET", f"/v1/people/{kept}/export")
    assert (told["merges"], {m["address"] for m in told["messages"]}) == ([], {ada})


def nobodies() -> Iterator[str]:
    yield str(UUID(int=0))
    yield str(uuid4())


@pytest.mark.parametrize("form", ["json", "html"])
async def test_nobody_has_no_export_and_other_forms_there_are_none(house: House, form: str) -> None:
    for nobody in nobodies():
        path = f"/v1/people/{nobody}/export"
        refused = await house.call("GET", path, params={"format": form}, expect=404)
        assert refused["code"] == "unknown_person"
    await house.call("GET", path, params={"format": "pdf"}, expect=422)
