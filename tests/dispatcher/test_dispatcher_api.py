"""The API as a whole: who may call, what nonsense is answered, and what nobody may see."""

import httpx
import pytest

from services.dispatcher.days import DayKeeper, have_days
from shared import clock
from shared.ids import new_id
from shared.security.service_tokens import ServiceCalls, Signer
from tests.dispatcher.desk_rig import Rig, a_rig, until
from tests.postgres import Urls

NASTY: list[object] = [
    None,
    0,
    "x",
    [],
    {},
    {"items": [{}]},
    {"name": "\0", "title": "\0", "language": "it", "frames": [{"text": "\0"}]},
    {"title": "a", "language": "it", "frames": [{"text": "a\0b"}]},
    {"id": str(new_id()), "url": "https://93.184.216.34/\0"},
    {"since": "9999-12-31T23:59:59Z"},
    {"since": "0001-01-01T00:00:00Z"},
    {"brand_id": str(new_id()), "seq": 10**40, "targets": []},
    {"tap_id": "\0"},
    {"settings": {"per_second": "NaN"}, "credentials": {"token": "\0"}},
]


def routes(rig: Rig) -> list[tuple[str, str]]:
    found = []
    for path, operations in rig.app.openapi()["paths"].items():
        here = path.replace("{brand_id}", str(rig.brand_id))
        while "{" in here:
            begin, end = here.index("{"), here.index("}")
            here = here[:begin] + str(rig.account_id) + here[end + 1 :]
        found += [(method.upper(), here) for method in operations]
    assert len(found) > 35
    return found


async def test_nonsense_is_refused_and_never_breaks_anything(rig: Rig) -> None:
    worst: list[tuple[object, ...]] = []
    for method, path in routes(rig):
        if path.endswith("/stream"):
            continue
        bodies = NASTY if method in ("POST", "PUT", "PATCH") else [None]
        for body in bodies:
            answer = await rig.http.request(method, path, json=body, params={"cursor": "%00ä"})
            if answer.status_code >= 500:
                worst.append((method, path, body, answer.status_code))

    assert worst == []


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff\xfe", b'{"title": "\\ud800", "language": "it", "frames": [{}]}', b"[" * 9_999],
)
async def test_bodies_that_are_no_json_are_refused(rig: Rig, body: bytes) -> None:
    answer = await rig.http.put(
        rig.path("stories", new_id()), content=body, headers={"content-type": "application/json"}
    )

    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_text_that_no_row_can_hold_is_refused_everywhere(rig: Rig) -> None:
    event = {
        "id": str(new_id()),
        "brand_id": str(rig.brand_id),
        "type": "message.received",
        "timestamp": clock.now().isoformat(),
    }
    story = {"title": "a\0b", "language": "it", "frames": [{"text": "Ciao"}]}
    bad = b'{"items": [{"data": {"x": "\\ud800"}, %s' % str(event).replace("'", '"')[1:].encode()

    answers = [
        await rig.http.post("/v1/events", json={"items": [{**event, "data": {"a": "b\0"}}]}),
        await rig.http.post("/v1/events", json={"items": [{**event, "data": {"a": 2**70}}]}),
        await rig.http.post(
            "/v1/events", content=bad + b"]}", headers={"content-type": "application/json"}
        ),
        await rig.http.put(rig.path("stories", new_id()), json=story),
    ]

    assert [answer.status_code for answer in answers] == [422] * 4


async def test_only_known_services_are_let_in(rig: Rig) -> None:
    stranger = Signer("gateway", bytes(32))
    transport = httpx.ASGITransport(rig.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://d") as nobody:
        for method, path in routes(rig):
            answer = await nobody.request(method, path)
            open_path = path in ("/healthz", "/readyz")
            assert answer.status_code == (200 if open_path else 401), path
    async with httpx.AsyncClient(
        transport=transport,
        base_url="http://d",
        auth=ServiceCalls(stranger, audience="dispatcher"),
    ) as forger:
        assert (await forger.get(rig.path("accounts"))).status_code == 401


async def test_nothing_of_a_brand_is_seen_under_another(rig: Rig) -> None:
    story = await rig.story()
    campaign = await rig.campaign(story=story)
    other = new_id()

    for path in (
        f"stories/{story.id}",
        f"campaigns/{campaign.id}",
        f"campaigns/{campaign.id}/messages",
    ):
        assert (await rig.http.get(f"/v1/brands/{other}/{path}")).status_code == 404
    for what in ("launch", "pause", "resume", "cancel", "preflight"):
        answer = await rig.http.post(f"/v1/brands/{other}/campaigns/{campaign.id}/{what}")
        assert answer.status_code == 404
    for lists in ("stories", "campaigns", "events", "callbacks", "accounts"):
        assert (await rig.http.get(f"/v1/brands/{other}/{lists}")).json()["items"] == []


async def test_the_page_describes_every_operation(rig: Rig) -> None:
    page = (await rig.http.get("/openapi.json")).json()

    operations = [each for path in page["paths"].values() for each in path.values()]
    assert page["openapi"].startswith("3.1")
    assert len(operations) > 35
    assert all(each.get("description") for each in operations)


async def test_partitions_are_made_ahead_and_for_late_comers(rig: Rig) -> None:
    await DayKeeper(rig.desk.database).step()
    long_ago = clock.now().replace(year=clock.now().year - 1)
    await have_days(rig.desk.database, [long_ago, long_ago])

    rows = await rig.sql(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'dispatcher.event'::regclass"
    )
    assert rows[0][0] >= 10


async def test_it_starts_and_stops_with_all_its_workers(urls: Urls) -> None:
    async with a_rig(urls, alive=True) as rig:
        await rig.open_brand()
        await rig.grant("1")
        campaign = await rig.campaign()
        await rig.step(campaign, "launch")
        await until(lambda: rig.events("campaign.launched"))
        await until(lambda: rig.messages(campaign))
        await until(lambda: rig.events("consent.granted"))
        assert (await rig.http.get("/readyz")).json() == {"status": "ok"}

    assert campaign.status == "draft"
