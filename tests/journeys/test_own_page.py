"""A person's own page: what they see there, what they can do, and what nobody else can."""

import json
import re
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from typer.testing import CliRunner

from services.__main__ import cli
from services.gateway.links import Links
from services.gateway.pages.person_texts import TEXTS
from shared import clock

STORY = {"title": "t", "language": "it", "frames": [{"text": "Ciao"}]}
WORDING = "Sì, scrivetemi <b>pure</b>"


@pytest.fixture
async def browser(house):
    """Somebody's browser, which follows nothing by itself."""
    async with httpx.AsyncClient(base_url=house.gateway_url, timeout=30) as client:
        yield client


async def page_of(house, address):
    """Return the path of a person's page, as the chat would give it."""
    person = await house.call(
        "GET", "/v1/people", params={"account_id": str(house.account_id), "address": address}
    )
    return path_for(house, person["items"][0]["id"])


def path_for(house, person_id, *, ago=timedelta(0)):
    links = Links("", [house.page_secret])
    return links.url(house.brand_id, UUID(person_id), now=clock.now() - ago)


async def agreed(house, **more):
    (ada,) = await house.people(1, granted=False)
    evidence = {"source": "web_form", "wording": WORDING, "language": "it"}
    await house.consent(ada, "grant", evidence=evidence, **more)
    return ada, await page_of(house, ada)


def hidden(page, name):
    return re.search(rf'name="{name}" value="([^"]*)"', page).group(1)


async def test_it_shows_what_was_agreed_and_in_which_words(house, browser):
    ada, path = await agreed(house)

    page = await browser.get(path)

    assert page.status_code == 200
    assert "Le tue scelte con Aurora" in page.text
    assert "Sì, scrivetemi &lt;b&gt;pure&lt;/b&gt;" in page.text
    assert ada not in page.text, "an address stands in full on a page that may be looked over"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "script" not in page.headers["content-security-policy"]


async def test_stop_on_the_page_holds_when_the_page_says_so(house, browser):
    ada, path = await agreed(house)

    page = await browser.post(f"{path}/stop", data={"once": "1"})

    assert "Fatto. Aurora non ti manda più messaggi promozionali." in page.text
    assert await house.allowed(ada) == "revoked"
    totals = await house.finished(await house.campaign(STORY, addresses=[ada]))
    assert totals["withheld"] == {"revoked": 1}
    assert house.shown(ada) == []


async def test_a_mailbox_unsubscribes_with_one_click(house, browser):
    ada, path = await agreed(house)

    refused = await browser.post(path, data={"anything": "else"})
    assert (refused.status_code, await house.allowed(ada)) == (422, "granted")

    done = await browser.post(path, data={"List-Unsubscribe": "One-Click"})
    assert (done.status_code, await house.allowed(ada)) == (200, "revoked")


async def test_a_purpose_is_turned_off_and_on_again(house, browser):
    ada, path = await agreed(house)
    before = await browser.get(path)
    form = {name: hidden(before.text, name) for name in ("choice", "once")}

    await browser.post(f"{path}/off", data=form)
    assert await house.allowed(ada) == "revoked"

    again = await browser.post(f"{path}/on", data=form)
    assert (again.status_code, await house.allowed(ada)) == (200, "revoked")

    now = hidden((await browser.get(path)).text, "choice")
    await browser.post(f"{path}/on", data={"choice": now})
    assert await house.allowed(ada) == "granted"
    history = await house.call("GET", f"/v1/people/{await person_id(house, ada)}/history")
    yes = history["items"][-1]["evidence"]
    assert (yes["source"], yes["language"]) == ("page", "it")
    assert yes["wording"].startswith("Messaggi promozionali. ")
    assert yes["wording"].endswith(TEXTS["it"]["agree"].format(brand="Aurora"))


async def person_id(house, address):
    found = await house.call(
        "GET", "/v1/people", params={"account_id": str(house.account_id), "address": address}
    )
    return found["items"][0]["id"]


async def test_one_chooses_a_language_and_a_time_zone(house, browser):
    _, path = await agreed(house)

    page = await browser.post(f"{path}/about", data={"language": "de", "timezone": "Asia/Tokyo"})
    assert "Ihre Wahl bei Aurora" in page.text
    assert "JST" in page.text

    wrong = await browser.post(f"{path}/about", data={"language": "xx", "timezone": ""})
    assert wrong.status_code == 422


async def test_one_says_when_not_to_be_written_to(house, browser):
    ada, path = await agreed(house)
    told = {"language": "it", "timezone": "Europe/Rome"}
    hours = {"quiet_from": "22:00", "quiet_to": "07:30"}

    async def kept():
        return (await house.call("GET", f"/v1/people/{await person_id(house, ada)}"))["quiet_hours"]

    shown = await browser.post(f"{path}/about", data={**told, **hours})
    assert 'value="22:00"' in shown.text
    assert await kept() == {"start": "22:00", "end": "07:30"}

    for wrong in ({**hours, "quiet_to": ""}, {**hours, "quiet_to": "22:00"}, {"quiet_from": "x"}):
        refused = await browser.post(f"{path}/about", data={**told, **wrong})
        assert refused.status_code == 422
    await browser.post(f"{path}/about", data=told)
    assert await kept() == {"start": "22:00", "end": "07:30"}
    await browser.post(f"{path}/about", data={**told, "quiet_from": "", "quiet_to": ""})
    assert await kept() is None


async def test_a_receipt_is_read_and_verified_without_us(house, browser, tmp_path):
    _, path = await agreed(house)
    shown = await browser.get(path)
    receipt_path = re.search(r'href="(/p/[^"]*/receipts/[^"]*)"', shown.text).group(1)

    page = await browser.get(receipt_path)
    assert "Sì, scrivetemi &lt;b&gt;pure&lt;/b&gt;" in page.text
    told = await browser.get(f"{receipt_path}.json")
    assert told.headers["content-disposition"].startswith("attachment")

    file = tmp_path / "receipt.json"
    file.write_text(told.text)
    verified = CliRunner().invoke(
        cli, ["receipt", "verify", str(file), "--key", told.json()["key"]]
    )
    assert verified.exit_code == 0, verified.output
    assert json.loads(verified.stdout)["notice"]["wording"] == WORDING
    head, body, signature = told.json()["jws"].split(".")
    file.write_text(f"{head}.{body[:-2]}{'A' if body[-2] != 'A' else 'B'}{body[-1]}.{signature}")
    forged = CliRunner().invoke(cli, ["receipt", "verify", str(file), "--key", told.json()["key"]])
    assert forged.exit_code == 1
    shown = told.json()
    shown["receipt"]["notice"]["wording"] = "Tutto"
    file.write_text(json.dumps(shown))
    altered = CliRunner().invoke(cli, ["receipt", "verify", str(file), "--key", shown["key"]])
    assert altered.exit_code == 1


async def test_everything_that_is_stored_can_be_read_and_taken_along(house, browser):
    ada, path = await agreed(house)

    page = await browser.get(f"{path}/export")
    assert "Sì, scrivetemi &lt;b&gt;pure&lt;/b&gt;" in page.text
    told = (await browser.get(f"{path}/export.json")).json()
    assert ada in json.dumps(told)


async def test_a_pause_holds_and_keeps_the_yes(house, browser):
    ada, path = await agreed(house)

    page = await browser.post(f"{path}/pause", data={"days": "30"})
    assert "In pausa fino al" in page.text
    assert await house.allowed(ada) == "paused"
    wrong = await browser.post(f"{path}/pause", data={"days": "31"})
    assert wrong.status_code == 422
    await browser.post(f"{path}/resume", data={})
    assert await house.allowed(ada) == "granted"


async def test_a_form_that_is_sent_again_says_what_holds(house, browser):
    ada, path = await agreed(house)
    form = {"once": "1"}
    await browser.post(f"{path}/stop", data=form)
    await house.consent(ada, "grant")

    page = await browser.post(f"{path}/stop", data=form)
    assert await house.allowed(ada) == "granted"
    assert "Fatto. Aurora non ti manda più" not in page.text


async def test_the_link_of_before_a_merge_leads_to_who_they_are_now(house, browser):
    ada, path = await agreed(house)
    (other,) = await house.people(1)
    kept, gone = await person_id(house, other), await person_id(house, ada)
    merge = {"person_id": gone, "evidence": {"source": "support_desk"}}
    await house.call("POST", f"/v1/people/{kept}/merge", json=merge)

    page = await browser.post(f"{path}/stop", data={"once": "1"})
    assert "Fatto. Aurora non ti manda più messaggi promozionali." in page.text
    assert [await house.allowed(each) for each in (ada, other)] == ["revoked", "revoked"]


async def test_a_yes_counts_for_the_address_beside_which_it_stands(house, browser):
    ada, path = await agreed(house)
    (other,) = await house.people(1)
    for each in (ada, other):
        await house.consent(each, "revoke")
    kept, gone = await person_id(house, ada), await person_id(house, other)
    merge = {"person_id": gone, "evidence": {"source": "support_desk"}}
    await house.call("POST", f"/v1/people/{kept}/merge", json=merge)
    shown = (await browser.get(path)).text
    articles = shown.split("<article")[1:]
    (hers,) = [each for each in articles if f"•••{other[-3:]}" in each and "/on" in each]

    await browser.post(f"{path}/on", data={"choice": hidden(hers, "choice"), "once": "1"})
    assert await house.allowed(other) == "granted"
    assert await house.allowed(ada) == "revoked"


async def test_the_address_of_a_button_leads_to_the_page(house, browser):
    _, path = await agreed(house)

    answer = await browser.get(f"{path}/stop")
    assert (answer.status_code, answer.headers["location"]) == (303, path)


async def test_the_chat_gives_the_link_to_the_page(house, browser):
    (ada,) = await house.people(1, granted=False)
    house.say(ada, "aiuto")
    await house.until(lambda: house.shown(ada))

    text = house.shown(ada)[-1]["text"]
    assert "La tua ricevuta e le tue scelte: " in text
    page = await browser.get(text.rpartition(" ")[2])
    assert (page.status_code, "Le tue scelte con Aurora" in page.text) == (200, True)


async def test_erase_asks_first_and_leaves_nothing(house, browser):
    ada, path = await agreed(house)

    asked = await browser.get(f"{path}/erase")
    assert "Sì, cancella tutto ciò che mi riguarda" in asked.text
    unsure = await browser.post(f"{path}/erase", data={})
    assert (unsure.status_code, await house.allowed(ada)) == (422, "granted")

    done = await browser.post(f"{path}/erase", data={"sure": "yes"})
    assert "Sei cancellato" in done.text
    assert (await browser.get(path)).status_code == 410
    assert await house.allowed(ada) == "no_consent"


@pytest.mark.parametrize("ending", ["", "/erase", "/receipts/1", "/receipts/1.json"])
async def test_no_get_changes_anything(house, browser, ending, owner_database):
    _, path = await agreed(house)
    before = await everything(owner_database)

    await browser.get(path + ending)

    assert await everything(owner_database) == before


async def everything(database):
    """Return how many rows each table of consent has, and the newest state."""
    async with database.connection() as connection:
        names = await connection.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'consent'"
        )
        counts = {}
        for (name,) in names:
            if name.startswith("log_") or name.startswith("feed"):
                continue  # The notary's and the followers' own pace.
            counts[name] = await connection.fetchval(f'SELECT count(*) FROM consent."{name}"')
        states = await connection.fetch("SELECT * FROM consent.state ORDER BY seq")
    return counts, [dict(row) for row in states]


async def test_a_link_that_is_none_says_what_to_do(house, browser):
    ada, path = await agreed(house)
    nobody = "/p/" + "A" * 86
    who = await person_id(house, ada)
    old = path_for(house, who, ago=timedelta(days=31))

    for wrong in (nobody, f"{path[:-1]}{'A' if path[-1] != 'A' else 'B'}", "/p/x"):
        answer = await browser.get(wrong, headers={"accept-language": "it-IT,en;q=0.5"})
        assert answer.status_code == 404
        assert "Scrivi AIUTO nella chat" in answer.text
    expired = await browser.post(f"{old}/stop", headers={"accept-language": "en"})
    assert expired.status_code == 404
    assert "Links work for 30 days" in expired.text
    assert await house.allowed(ada) == "granted"


async def test_behind_a_proxy_who_tries_many_is_told_apart_from_the_others(house, browser):
    elsewhere = {"x-forwarded-for": "198.51.100.7"}
    tried = [
        (await browser.get(f"/p/{number:086d}", headers=elsewhere)).status_code
        for number in range(21)
    ]

    assert tried == [404] * 20 + [429]
    assert (await browser.get("/p/x")).status_code == 404


async def test_another_site_cannot_press_a_button(house, browser):
    ada, path = await agreed(house)

    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = await browser.post(f"{path}/stop", headers=headers)
        assert answer.status_code == 403
    assert await house.allowed(ada) == "granted"


async def test_one_person_cannot_read_the_receipt_of_another(house, browser):
    _, hers = await agreed(house)
    _, his = await agreed(house)
    shown = await browser.get(his)
    event = re.search(r"/receipts/([^\"]*)\"", shown.text).group(1)

    assert (await browser.get(f"{hers}/receipts/{event}.json")).status_code == 404


def test_each_language_has_every_text_with_the_same_places():
    places = {
        language: {name: sorted(re.findall(r"{(\w+)}", text)) for name, text in texts.items()}
        for language, texts in TEXTS.items()
    }

    for language, found in places.items():
        without_brand = {n: [p for p in each if p != "brand"] for n, each in found.items()}
        expected = {n: [p for p in each if p != "brand"] for n, each in places["en"].items()}
        assert without_brand == expected, language
