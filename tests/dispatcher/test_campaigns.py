"""A campaign's life, and totals that add up."""

from datetime import UTC, datetime, timedelta

import pytest

from services.dispatcher import campaigns
from services.dispatcher.campaigns import finish_if_done
from shared.clients.base import ServiceRefused
from shared.contracts.campaigns import Campaign, Totals
from shared.ids import new_id
from tests.dispatcher.desk_rig import Rig


def summed(totals: Totals) -> int:
    counts = totals.model_dump(exclude={"accepted", "withheld"})
    return sum(counts.values()) + sum(totals.withheld.values())


async def running(rig: Rig, *addresses: str, **fields: object) -> Campaign:
    await rig.grant(*addresses)
    campaign = await rig.campaign(**fields)
    await rig.step(campaign, "launch")
    await rig.work()
    return campaign


async def test_a_draft_is_stored_once(rig: Rig) -> None:
    story = await rig.story()
    body = {
        "name": "Lancio",
        "story_id": str(story.id),
        "account_ids": [str(rig.account_id)] * 2,
        "audience": {"tags": ["vip"]},
    }
    path = rig.path("campaigns", new_id())

    first = await rig.http.put(path, json=body)
    second = await rig.http.put(path, json=body)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert first.json()["status"] == "draft"
    assert first.json()["account_ids"] == [str(rig.account_id)]
    assert first.json()["audience"]["tags"] == ["vip"]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"story_id": str(new_id())}, "/story_id"),
        ({"account_ids": [str(new_id())]}, "/account_ids/0"),
        ({"audience": {"addresses": ["12", "mickey mouse"]}}, "/audience/addresses/1"),
        ({"audience": {}}, "/audience"),
        ({"send_at": "2030-01-02T00:00:00Z", "deadline": "2030-01-01T00:00:00Z"}, "/deadline"),
        ({"recipient_local_time": True}, "/send_at"),
        ({"recipient_local_time": True, "send_at": "2030-01-02T00:00:00+01:00"}, "/send_at"),
        ({"purpose": "spam"}, "/purpose"),
    ],
)
async def test_a_campaign_that_cannot_be_is_refused_by_its_field(
    rig: Rig, wrong: dict[str, object], pointer: str
) -> None:
    story = await rig.story()
    body = {
        "name": "Lancio",
        "story_id": str(story.id),
        "account_ids": [str(rig.account_id)],
        "audience": {"everyone": True},
        **wrong,
    }

    answer = await rig.http.put(rig.path("campaigns", new_id()), json=body)

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_a_launch_is_told_once_however_often_it_is_asked_for(rig: Rig) -> None:
    campaign = await rig.campaign()

    for _ in range(3):
        launched = await rig.step(campaign, "launch")

    assert launched.status == "running"
    assert launched.launched_at
    assert len(await rig.events("campaign.launched")) == 1
    assert await rig.work_kinds() == ["expand"]


async def test_a_campaign_for_later_waits_for_its_hour(rig: Rig) -> None:
    await rig.grant("1")
    campaign = await rig.campaign(send_at=datetime.now(UTC) + timedelta(hours=1))
    await rig.step(campaign, "launch")
    await rig.work()
    before = await rig.read(campaign)
    await rig.sql("UPDATE dispatcher.work SET due_at = now()")

    await rig.work()

    assert before.status == "scheduled"
    assert before.totals.accepted == 0
    assert (await rig.read(campaign)).totals.queued == 1


async def test_what_was_scheduled_and_cannot_be_sent_any_more_is_paused(rig: Rig) -> None:
    campaign = await rig.campaign(send_at=datetime.now(UTC) + timedelta(hours=1))
    await rig.step(campaign, "launch")
    await rig.sql("UPDATE dispatcher.story SET deleted_at = now()")
    await rig.sql("UPDATE dispatcher.work SET due_at = now()")

    await rig.work()

    found = await rig.read(campaign)
    assert (found.status, found.status_reason) == ("paused", "story_gone")


async def test_a_paused_schedule_goes_back_to_its_schedule(rig: Rig) -> None:
    campaign = await rig.campaign(send_at=datetime.now(UTC) + timedelta(hours=1))
    await rig.step(campaign, "launch")
    await rig.step(campaign, "pause")
    while_paused = await rig.work_kinds()

    resumed = await rig.step(campaign, "resume")

    assert while_paused == []
    assert resumed.status == "scheduled"
    assert await rig.work_kinds() == ["launch"]


async def test_a_pause_takes_back_what_was_claimed(rig: Rig) -> None:
    campaign = await running(rig, "1", "2")
    await rig.sql("UPDATE dispatcher.slip SET epoch = 1")
    await rig.sql("UPDATE dispatcher.message SET status = 'sending' WHERE address = '2'")
    before = (await rig.read(campaign)).totals

    paused = await rig.step(campaign, "pause")
    again = await rig.step(campaign, "pause")

    assert paused.status == again.status == "paused"
    assert (before.queued, before.sending, before.claimed) == (0, 1, 1)
    assert (paused.totals.queued, paused.totals.sending, paused.totals.claimed) == (1, 1, 0)
    assert len(await rig.events("campaign.paused")) == 1


async def test_a_cancelled_campaign_lets_go_of_all_that_waits(rig: Rig) -> None:
    campaign = await running(rig, "1", "2", "3", "4")
    await rig.sql("UPDATE dispatcher.slip SET epoch = 1")
    await rig.sql("UPDATE dispatcher.message SET status = 'sending' WHERE address = '2'")
    await rig.sql("UPDATE dispatcher.message SET part = 1, parts = 2 WHERE address = '3'")

    cancelled = await rig.step(campaign, "cancel")
    await rig.work()

    found = await rig.read(campaign)
    assert cancelled.status == "cancelled"
    assert (found.totals.cancelled, found.totals.partial, found.totals.sending) == (2, 1, 1)
    assert summed(found.totals) == found.totals.accepted == 4
    assert await rig.work_kinds() == ["cancel"]


async def test_a_cancel_waits_for_what_flies(rig: Rig) -> None:
    campaign = await running(rig, "1")
    await rig.sql("UPDATE dispatcher.message SET status = 'sending'")
    await rig.step(campaign, "cancel")
    await rig.work()
    # The platform said "later": it came back to the queue of a campaign that is over.
    await rig.sql("UPDATE dispatcher.message SET status = 'queued'")
    await rig.sql("UPDATE dispatcher.work SET due_at = now()")

    await rig.work()

    assert (await rig.read(campaign)).totals.cancelled == 1
    assert await rig.work_kinds() == []


@pytest.mark.parametrize("step", ["pause", "resume", "cancel", "launch"])
async def test_what_is_finished_stays_finished(rig: Rig, step: str) -> None:
    campaign = await running(rig)

    with pytest.raises(ServiceRefused) as refused:
        await rig.step(campaign, step)

    assert refused.value.status == 409
    assert (await rig.read(campaign)).status == "finished"


async def test_the_house_does_not_mind_pausing_what_is_over(rig: Rig) -> None:
    campaign = await running(rig)

    await campaigns.pause(rig.desk.database, rig.brand_id, campaign.id, reason="bad_content")

    assert (await rig.read(campaign)).status == "finished"


@pytest.mark.parametrize("status", ["queued", "sending"])
async def test_nothing_finishes_while_a_message_lives(rig: Rig, status: str) -> None:
    campaign = await running(rig, "1", "2")
    await rig.sql("UPDATE dispatcher.message SET status = 'sent' WHERE address = '1'")
    await rig.sql("UPDATE dispatcher.message SET status = $1 WHERE address = '2'", status)

    assert not await finish_if_done(rig.desk.database, rig.brand_id, campaign.id)

    await rig.sql("UPDATE dispatcher.message SET status = 'unknown' WHERE address = '2'")
    assert await finish_if_done(rig.desk.database, rig.brand_id, campaign.id)
    assert not await finish_if_done(rig.desk.database, rig.brand_id, campaign.id)
    [told] = await rig.events("campaign.finished")
    assert told.data["totals"]["unknown"] == 1


async def test_totals_count_each_message_once_in_its_state(rig: Rig) -> None:
    campaign = await running(rig, *"123456789")
    states = ["sending", "sent", "delivered", "read", "refused", "partial", "withheld"]
    for address, status in enumerate(states, start=1):
        await rig.sql(
            "UPDATE dispatcher.message SET status = $1, reason = 'too_late' WHERE address = $2",
            status,
            str(address),
        )

    totals = (await rig.read(campaign)).totals

    assert totals.withheld == {"too_late": 1}
    assert [getattr(totals, each) for each in states[:-1]] == [1] * 6
    assert totals.queued == 2
    assert summed(totals) == totals.accepted == 9


async def test_lists_go_on_where_they_ended(rig: Rig) -> None:
    made = [await rig.campaign() for _ in range(3)]
    one = await rig.dispatcher.campaigns(rig.brand_id, limit=2)
    two = await rig.dispatcher.campaigns(rig.brand_id, limit=2, cursor=one.next)

    assert [c.id for c in (*one.items, *two.items)] == [c.id for c in reversed(made)]
    assert two.next is None


async def test_messages_are_listed_by_state_and_page(rig: Rig) -> None:
    campaign = await running(rig, *"12345")
    await rig.sql("UPDATE dispatcher.message SET status = 'sent' WHERE address < '4'")

    one = await rig.dispatcher.campaign_messages(rig.brand_id, campaign.id, status="sent", limit=2)
    two = await rig.dispatcher.campaign_messages(
        rig.brand_id, campaign.id, status="sent", limit=2, cursor=one.next
    )

    assert [m.address for m in (*one.items, *two.items)] == ["1", "2", "3"]
    assert two.next is None
