"""Stories and how each channel would show them."""

import asyncio

import pytest

from services.dispatcher.renderings import choose_language
from shared.ids import new_id
from tests.dispatcher.desk_rig import Rig, picture

BODY = {"title": "Autunno", "language": "it", "frames": [{"text": "Ciao"}]}


async def test_a_story_is_stored_once(rig: Rig) -> None:
    path = rig.path("stories", new_id())

    first = await rig.http.put(path, json=BODY)
    second = await rig.http.put(path, json={**BODY, "title": "Inverno"})

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert first.json()["version"] == 1


async def test_a_story_names_media_that_the_brand_has(rig: Rig) -> None:
    kept = await rig.dispatcher.put_media(rig.brand_id, mime="", name="a", data=picture())
    frames = [{"media_id": str(kept.id)}, {"media_id": str(new_id())}]

    refused = await rig.http.put(
        rig.path("stories", new_id()),
        json={**BODY, "frames": frames, "variants": {"en": {"frames": frames}}},
    )
    taken = await rig.http.put(rig.path("stories", new_id()), json={**BODY, "frames": frames[:1]})

    assert [e["pointer"] for e in refused.json()["errors"]] == [
        "/frames/1/media_id",
        "/variants/en/frames/1/media_id",
    ]
    assert taken.status_code == 201


async def test_a_rendering_is_the_exact_call(rig: Rig) -> None:
    kept = await rig.dispatcher.put_media(
        rig.brand_id, mime="", name="a", data=picture(size=(400, 700))
    )
    frame = {"media_id": str(kept.id), "text": "Guarda", "seconds": 5}
    story = await rig.story(frames=[frame], variants={"en": {"frames": [{"text": "Look"}]}})

    telegram = await rig.dispatcher.renderings(rig.brand_id, story.id, channel="telegram")
    every = await rig.http.get(rig.path("stories", story.id, "renderings"))
    none = await rig.http.get(rig.path("stories", story.id, "renderings"), params={"channel": "x"})

    italian, english = telegram.items
    assert (italian.language, english.language) == ("it", "en")
    assert italian.parts[0].params["photo"] == f"media:{kept.id}"
    assert english.parts[0].params["text"] == "Look"
    assert {each["channel"] for each in every.json()["items"]} == set(rig.desk.channels)
    assert none.status_code == 422


async def test_findings_say_what_a_channel_leaves_out(rig: Rig) -> None:
    story = await rig.story(frames=[{"text": "x" * 5_000}])

    found = await rig.dispatcher.get_story(rig.brand_id, story.id)

    assert any(f.channel == "telegram" and f.code == "shortened" for f in found.findings)


async def test_a_change_leaves_what_is_not_named(rig: Rig) -> None:
    story = await rig.story(expires_after=3600)
    path = rig.path("stories", story.id)

    changed = await rig.http.patch(path, json={"title": "Inverno", "frames": None})
    cleared = await rig.http.patch(path, json={"expires_after": None})

    assert changed.json()["title"] == "Inverno"
    assert changed.json()["frames"][0]["text"] == "Ciao"
    assert changed.json()["expires_after"] == 3600
    assert (cleared.json()["expires_after"], cleared.json()["version"]) == (None, 3)


async def test_of_two_changes_at_once_none_is_undone_unseen(rig: Rig) -> None:
    path = rig.path("stories", (await rig.story()).id)

    answers = await asyncio.gather(
        *(rig.http.patch(path, json={"title": f"Versione {n}"}) for n in range(6))
    )

    statuses = [answer.status_code for answer in answers]
    assert set(statuses) <= {200, 409}
    version = (await rig.http.get(path)).json()["version"]
    assert version == 1 + statuses.count(200)


async def test_a_story_that_is_on_its_way_is_not_deleted(rig: Rig) -> None:
    story = await rig.story()
    campaign = await rig.campaign(story=story)
    await rig.step(campaign, "launch")
    path = rig.path("stories", story.id)

    used = await rig.http.delete(path)
    await rig.step(campaign, "cancel")
    free = await rig.http.delete(path)

    assert (used.status_code, used.json()["code"]) == (409, "story_in_use")
    assert free.status_code == 204
    assert (await rig.http.get(path)).status_code == 404


async def test_a_draft_without_its_story_cannot_be_launched(rig: Rig) -> None:
    story = await rig.story()
    campaign = await rig.campaign(story=story)
    await rig.http.delete(rig.path("stories", story.id))

    answer = await rig.http.post(rig.path("campaigns", campaign.id, "launch"))

    assert (answer.status_code, answer.json()["code"]) == (409, "story_gone")


async def test_lists_are_the_brands_own(rig: Rig) -> None:
    made = [await rig.story() for _ in range(3)]

    one = await rig.dispatcher.stories(rig.brand_id, limit=2)
    two = await rig.dispatcher.stories(rig.brand_id, limit=2, cursor=one.next)
    foreign = await rig.dispatcher.stories(new_id())

    assert [s.id for s in (*one.items, *two.items)] == [s.id for s in reversed(made)]
    assert foreign.items == ()


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("it", "it"),
        ("it-CH", "it"),
        ("en_GB", "en-GB"),
        ("EN-gb", "en-GB"),
        ("en-AU", "en-GB"),
        ("pt", "pt-BR"),
        ("zh-Hans", "it"),
        (None, "it"),
        ("", "it"),
    ],
)
def test_the_language_that_fits_best(wanted: str | None, chosen: str) -> None:
    assert choose_language(wanted, ["it", "en-GB", "pt-BR"], default="it") == chosen
