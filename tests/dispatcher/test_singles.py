"""One message to one person."""

import pytest

from shared.clients.base import ServiceUnavailable
from shared.contracts.messages import Content, HouseContent, HouseMessage, MessageIn
from shared.ids import new_id
from tests.dispatcher.desk_rig import Rig, picture


def words(rig: Rig, text: str = "Ciao", **fields: object) -> MessageIn:
    wanted = {
        "account_id": rig.account_id,
        "address": "1",
        "purpose": "service",
        "content": Content(text=text),
        **fields,
    }
    return MessageIn.model_validate(wanted)


async def content(rig: Rig) -> list[dict[str, object]]:
    [row] = await rig.sql("SELECT content FROM dispatcher.message")
    return row["content"]["parts"]


async def test_a_message_is_queued_once_and_its_lane_is_woken(rig: Rig) -> None:
    await rig.say("grant", "1", purpose="service")
    await rig.sql("UPDATE dispatcher.lane SET wake_at = 'infinity'")
    message_id = new_id()

    one = await rig.dispatcher.put_message(rig.brand_id, message_id, words(rig))
    two = await rig.dispatcher.put_message(rig.brand_id, message_id, words(rig, "Altro"))

    assert one == two
    assert (one.status, one.campaign_id, one.parts) == ("queued", None, 1)
    assert one.consent_event_id is not None
    assert len(await rig.sql("SELECT 1 FROM dispatcher.message")) == 1
    assert len(await rig.sql("SELECT 1 FROM dispatcher.lane WHERE wake_at <= now()")) == 1
    assert (await content(rig))[0]["params"]["text"] == "Ciao"


async def test_who_did_not_agree_gets_nothing_and_the_brand_hears_why(rig: Rig) -> None:
    await rig.say("seen", "1")

    message = await rig.dispatcher.put_message(rig.brand_id, new_id(), words(rig))

    assert (message.status, message.reason) == ("withheld", "no_consent")


async def test_a_reply_needs_no_consent_and_its_id_is_in_it(rig: Rig) -> None:
    reply = HouseMessage(
        id=new_id(),
        account_id=rig.account_id,
        address="1",
        purpose="reply",
        content=HouseContent(text="Va bene, non ti scriviamo più."),
        person_id=new_id(),
        language="it",
    )

    message = await rig.dispatcher.put_message(rig.brand_id, reply.id, reply)
    other = await rig.http.put(
        rig.path("messages", new_id()),
        content=reply.model_dump_json(),
        headers={"content-type": "application/json"},
    )

    assert (message.status, message.person_id) == ("queued", reply.person_id)
    assert [e["pointer"] for e in other.json()["errors"]] == ["/id"]


async def test_without_an_answer_of_consent_it_waits_for_one(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(**question: object) -> None:
        raise ServiceUnavailable("consent", "cut off", sent=False)

    monkeypatch.setattr(rig.desk.consent, "check", away)

    message = await rig.dispatcher.put_message(rig.brand_id, new_id(), words(rig))

    assert (message.status, message.consent_event_id) == ("queued", None)


async def test_a_picture_with_words_and_a_button(rig: Rig) -> None:
    kept = await rig.dispatcher.put_media(
        rig.brand_id, mime="", name="a", data=picture(size=(400, 700))
    )
    shown = Content.model_validate(
        {
            "text": "Guarda",
            "media_id": kept.id,
            "button": {"label": "Vai", "url": "https://brand.example/"},
        }
    )

    await rig.dispatcher.put_message(rig.brand_id, new_id(), words(rig, content=shown))

    [part] = await content(rig)
    assert part["params"]["photo"] == f"media:{kept.id}"
    assert part["params"]["caption"] == "Guarda"


async def test_a_story_in_the_persons_language(rig: Rig) -> None:
    story = await rig.story(variants={"en": {"frames": [{"text": "Hello"}]}})
    wanted = HouseMessage(
        id=new_id(),
        account_id=rig.account_id,
        address="1",
        purpose="reply",
        content=HouseContent(story_id=story.id),
        language="en-GB",
    )

    await rig.dispatcher.put_message(rig.brand_id, wanted.id, wanted)

    [part] = await content(rig)
    assert part["params"]["text"] == "Hello"


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"account_id": str(new_id())}, "/account_id"),
        ({"address": "mickey mouse"}, "/address"),
        ({"content": {"media_id": str(new_id())}}, "/content/media_id"),
        ({"content": {"story_id": str(new_id())}}, "/content/story_id"),
    ],
)
async def test_what_cannot_be_sent_is_refused_by_its_field(
    rig: Rig, wrong: dict[str, object], pointer: str
) -> None:
    body = {**words(rig).model_dump(mode="json"), **wrong}

    answer = await rig.http.put(rig.path("messages", new_id()), json=body)

    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]


async def test_a_message_of_another_brand_is_not_there(rig: Rig) -> None:
    message = await rig.dispatcher.put_message(rig.brand_id, new_id(), words(rig))

    answer = await rig.http.get(f"/v1/brands/{new_id()}/messages/{message.id}")

    assert answer.status_code == 404
