"""The messages to one address: by pages, of campaigns and single ones, and nobody else's."""

import pytest

from services.dispatcher.api.parameters import write_cursor
from shared.contracts.messages import Content, MessageIn
from shared.ids import new_id
from tests.dispatcher.desk_rig import Rig


async def put(rig: Rig, address: str, text: str) -> None:
    wanted = MessageIn(
        account_id=rig.account_id, address=address, purpose="service", content=Content(text=text)
    )
    await rig.dispatcher.put_message(rig.brand_id, new_id(), wanted)


async def test_pages_hold_each_message_once_the_oldest_first(rig: Rig) -> None:
    await rig.grant("1", "2")
    campaign = await rig.campaign()
    await rig.step(campaign, "launch")
    await rig.work()
    for number in range(5):
        await put(rig, "1", f"n{number}")
        await put(rig, "2", "another's")
    found, cursor = [], None
    while True:
        page = await rig.dispatcher.messages_to(
            rig.brand_id, channel="telegram", address="1", cursor=cursor, limit=2
        )
        found += page.items
        cursor = page.next
        if cursor is None:
            break

    assert [each.campaign_id for each in found] == [campaign.id, *[None] * 5]
    texts = [each.content.parts[0].params.get("text") for each in found[1:]]
    assert texts == [f"n{number}" for number in range(5)]
    assert found[0].content.story_id == campaign.story_id
    assert found[0].content.parts
    assert {each.address for each in found} == {"1"}


async def test_another_channel_and_another_brand_have_none(rig: Rig) -> None:
    await put(rig, "1", "hers")

    other = await rig.dispatcher.messages_to(rig.brand_id, channel="whatsapp", address="1")
    stranger = await rig.dispatcher.messages_to(new_id(), channel="telegram", address="1")

    assert (other.items, stranger.items) == ((), ())


@pytest.mark.parametrize(
    "place", [["2026-11-22", str(new_id())], ["2026-11-22T10:00:00Z", "x"], [1, 2], "x"]
)
async def test_a_cursor_that_was_never_ours_is_refused(rig: Rig, place: object) -> None:
    params = {"channel": "telegram", "address": "1", "cursor": write_cursor(place)}
    answer = await rig.http.get(rig.path("messages"), params=params)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/cursor")
