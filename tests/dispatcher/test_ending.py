"""A story that is over is taken back from everybody who has it, once, and all of it is counted."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from channels.base.simulator.faults import Fault
from channels.registry import CHANNELS
from services.dispatcher import ending, taking_back
from services.dispatcher.queries import ending as queries
from services.dispatcher.queries.ending import Facts, Told
from services.dispatcher.running import endings
from services.dispatcher.work import WorkRunner
from shared import clock, failpoints
from shared.contracts.campaigns import StoryChange
from shared.contracts.forgetting import Forget, Place
from shared.ids import new_id
from tests.dispatcher.desk_rig import until
from tests.dispatcher.ending_rig import HOUR, over
from tests.postgres import Urls


async def test_nothing_is_taken_back_before_it_is_over(urls: Urls) -> None:
    async with over(urls) as story:
        await story.let_pass(HOUR - 60)
        await story.work()
        await story.due_now()
        await story.work()
        report = await story.report()
        await story.let_pass(60)
        await story.work()
        after = await story.report()

        assert (report.waiting, report.deleted, report.ended_at) == (3, 0, None)
        assert (after.waiting, after.deleted) == (0, 3)


async def test_a_story_that_is_over_leaves_every_chat_and_the_brand_is_told_once(
    urls: Urls,
) -> None:
    async with over(urls) as story:
        totals = (await story.rig.read(story.campaign)).totals
        await story.let_pass(HOUR)
        await story.work()
        await story.due_now()
        await story.work()
        report = await story.report()
        told = await story.rig.events("campaign.ended")

        assert story.shown() == [0, 0, 0]
        assert (report.deleted, report.replaced, report.kept, report.waiting) == (3, 0, {}, 0)
        assert report.ended_at is not None
        assert [each.data for each in told] == [
            {
                "campaign_id": str(story.campaign.id),
                "name": "Lancio",
                "ended": {"deleted": 3, "replaced": 0, "kept": {}},
            }
        ]
        assert (await story.rig.read(story.campaign)).totals == totals
        assert await story.rig.work_kinds() == []


async def test_a_story_without_an_end_stays(urls: Urls) -> None:
    async with over(urls, people=1, expires_after=None) as story:
        await story.let_pass(1_000 * HOUR)
        await story.work()

        assert (await story.rig.read(story.campaign)).ending is None
        assert (story.shown(), story.calls()) == ([1], [])


async def test_it_is_over_for_each_person_when_their_own_time_has_passed(urls: Urls) -> None:
    async with over(urls) as story:
        first = story.people[0]
        await story.let_pass(HOUR, only=first)
        await story.work()
        early = (story.shown(), await story.report())
        await story.let_pass(HOUR)
        await story.work()

        assert early[0] == [0, 1, 1]
        assert (early[1].deleted, early[1].waiting, early[1].ended_at) == (1, 2, None)
        assert story.shown() == [0, 0, 0]


async def test_what_is_too_old_says_that_it_is_over_in_its_language(urls: Urls) -> None:
    async with over(urls, people=2, frames=[{"text": "Ciao", "button": BUTTON}]) as story:
        await story.let_pass(49 * HOUR)
        await story.work()
        report = await story.report()
        [shown] = story.platform.phone(story.people[0])

        assert (report.replaced, report.deleted) == (2, 0)
        assert (shown["text"], shown["buttons"]) == ("Questa storia è finita.", [])


TWO_PARTS = [{"text": "A" * 4_000}, {"text": "B" * 4_000}]
BUTTON = {"label": "Shop", "url": "https://shop.example/"}


async def test_the_end_is_the_one_of_the_launch(urls: Urls) -> None:
    async with over(urls, people=1) as story:
        change = StoryChange.model_validate({"expires_after": 60})
        rig = story.rig
        await rig.dispatcher.change_story(rig.brand_id, story.campaign.story_id, change)
        await story.let_pass(HOUR - 60)
        await story.work()

        assert (await story.report()).expires_after == HOUR
        assert story.shown() == [1]


async def test_who_said_no_has_their_chat_tidied_up_and_consent_is_not_asked(urls: Urls) -> None:
    async with over(urls, people=2) as story:
        await story.rig.say("revoke", story.people[0])
        await story.rig.desk.consent.close()  # A question would fail now.
        await story.let_pass(HOUR)
        await story.work()

        assert story.shown() == [0, 0]
        assert (await story.report()).deleted == 2


async def test_only_what_was_sent_is_counted(urls: Urls) -> None:
    def blocks(platform) -> None:
        platform.faults.add(Fault("blocked", left=1))

    async with over(urls, before=blocks) as story:
        await story.let_pass(HOUR)
        await story.work()
        report = await story.report()
        totals = (await story.rig.read(story.campaign)).totals

        assert (totals.sent, totals.refused) == (2, 1)
        assert (report.deleted, report.kept, report.waiting) == (2, {}, 0)


async def test_what_nobody_knows_is_said_to_be_kept(urls: Urls) -> None:
    def loses(platform) -> None:
        platform.faults.add(Fault("answer_lost", left=1))

    async with over(urls, before=loses) as story:
        await story.let_pass(HOUR)
        await story.work()
        report = await story.report()

        assert (report.deleted, report.kept) == (2, {"unknown": 1})
        assert sorted(story.shown()) == [0, 0, 1]
        assert report.ended_at is not None


async def test_what_was_in_flight_when_its_owner_died_is_said_to_be_kept(urls: Urls) -> None:
    """A takeover calls it unknown, and no attempt says so."""
    async with over(urls, people=2) as story:
        [(lost,)] = await story.rig.sql(
            "UPDATE dispatcher.message SET status = 'unknown' WHERE address = $1 RETURNING id",
            story.people[0],
        )
        await story.rig.sql("DELETE FROM dispatcher.attempt WHERE message_id = $1", lost)
        await story.let_pass(HOUR)
        await story.work()

        assert (await story.report()).kept == {"unknown": 1}
        assert story.shown() == [1, 0]


async def test_a_part_that_nobody_knows_keeps_the_message_though_the_rest_is_deleted(
    urls: Urls,
) -> None:
    async with over(urls, people=1, frames=[{"text": "Ciao"}, *TWO_PARTS]) as story:
        # As if the answer to the last part had been lost.
        await story.rig.sql(
            "UPDATE dispatcher.attempt SET outcome = 'unknown', platform_ids = '{}' WHERE part > 0"
        )
        await story.rig.sql("UPDATE dispatcher.message SET status = 'partial'")
        await story.let_pass(HOUR)
        await story.work()
        report = await story.report()

        assert (report.deleted, report.kept) == (0, {"unknown": 1})
        assert story.shown() == [1]


async def test_an_erased_person_is_reached_no_more(urls: Urls) -> None:
    async with over(urls, people=2) as story:
        rig = story.rig
        [(person_id,)] = await rig.sql(
            "SELECT person_id FROM dispatcher.message WHERE address = $1", story.people[0]
        )
        place = Place(account_id=rig.account_id, address=story.people[0])
        order = Forget(brand_id=rig.brand_id, person_id=person_id, places=(place,))
        await rig.dispatcher.forget(order)
        await story.let_pass(HOUR)
        await story.work()

        assert (await story.report()).kept == {"erased": 1}
        assert story.shown() == [1, 0]


async def test_nothing_is_called_deleted_that_could_not_be_named(urls: Urls) -> None:
    async with over(urls, people=1) as story:
        await story.rig.sql("DELETE FROM dispatcher.rendering")
        await story.let_pass(HOUR)
        await story.work()

        assert (await story.report()).kept == {"no_rendering": 1}
        assert story.calls() == []


async def test_a_deleted_account_keeps_everything(urls: Urls) -> None:
    async with over(urls) as story:
        await story.rig.dispatcher.delete_account(story.rig.brand_id, story.rig.account_id)
        await story.let_pass(HOUR)
        await story.work()
        report = await story.report()

        assert (report.kept, report.deleted) == ({"account_gone": 3}, 0)
        assert report.ended_at is not None


async def test_what_may_still_be_sent_is_waited_for(urls: Urls) -> None:
    """Of three, one was sent, and the campaign is paused: the others wait in the queue."""

    def slows(platform) -> None:
        platform.set_limits(None, {"per_second": 1, "burst": 1})

    async with over(urls, before=slows, settled=1) as story:
        sent = (await story.rig.read(story.campaign)).totals.sent
        await story.let_pass(HOUR)
        await story.work()
        first = await story.report()
        await story.let_pass(HOUR)
        await story.work()
        second = await story.report()
        await story.rig.step(story.campaign, "cancel")
        await story.rig.work()
        await story.let_pass(HOUR)
        await story.work()
        await story.due_now()
        await story.work()
        last = await story.report()

        assert 0 < sent < 3
        assert (first.deleted, first.waiting) == (sent, 3 - sent)
        assert (second.deleted, second.waiting, second.ended_at) == (sent, 3 - sent, None)
        assert (last.deleted, last.waiting, last.kept) == (sent, 0, {})
        assert last.ended_at is not None


async def test_a_message_that_was_sent_after_the_list_was_made_has_its_own_time(
    urls: Urls,
) -> None:
    async with over(urls, people=1) as story:
        # As if it had been sent this very moment, long after the others.
        await story.rig.sql("UPDATE dispatcher.message SET status = 'queued'")
        await story.let_pass(HOUR)
        await story.work()
        listed = await story.report()
        await story.rig.sql("UPDATE dispatcher.message SET status = 'sent'")
        await story.rig.sql("UPDATE dispatcher.attempt SET settled_at = now()")
        await story.rig.sql("UPDATE dispatcher.taking_back SET due_at = now()")
        await story.due_now()
        await story.work()

        assert (listed.waiting, story.shown()) == (1, [1])
        [(due_at,)] = await story.rig.sql("SELECT due_at FROM dispatcher.taking_back")
        assert due_at - clock.now() > timedelta(minutes=59)
        await story.let_pass(HOUR)
        await story.work()
        assert story.shown() == [0]


async def test_a_campaign_that_still_grows_is_listed_again(urls: Urls) -> None:
    async with over(urls, people=3) as story:
        # As if the audience were not looked through yet, and one page came after the list.
        late = story.people[0]
        await story.rig.sql("UPDATE dispatcher.campaign SET expanded = false, status = 'paused'")
        await story.rig.sql(
            "UPDATE dispatcher.message SET campaign_id = brand_id WHERE address = $1", late
        )
        await story.let_pass(HOUR)
        await story.work()
        first = await story.report()
        await story.rig.sql(
            "UPDATE dispatcher.message SET campaign_id = $1 WHERE address = $2",
            story.campaign.id,
            late,
        )
        await story.rig.sql("UPDATE dispatcher.campaign SET expanded = true, status = 'finished'")
        await story.due_now()
        await story.work()
        between = await story.report()
        await story.let_pass(HOUR)
        await story.work()
        last = await story.report()

        assert (first.deleted, first.waiting, first.ended_at) == (2, 0, None)
        assert between.ended_at is None
        assert (last.deleted, last.waiting) == (3, 0)
        assert last.ended_at is not None


async def test_a_channel_that_takes_nothing_back_keeps_everything(
    urls: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with over(urls, people=2) as story:
        telegram = CHANNELS["telegram"]
        helpless = replace(telegram.capabilities, take_back=None)
        monkeypatch.setitem(CHANNELS, "telegram", replace(telegram, capabilities=helpless))
        await story.let_pass(HOUR)
        await story.work()

        assert (await story.report()).kept == {"not_possible": 2}
        assert story.shown() == [1, 1]


class Died(Exception):
    """As if the process had been killed here."""


def dying(monkeypatch: pytest.MonkeyPatch, place: str, *, times: int = 1) -> None:
    """Let the process die so often at this place."""
    left = times

    async def die() -> None:
        nonlocal left
        if left:
            left -= 1
            raise Died

    monkeypatch.setitem(failpoints.ACTIVE, place, die)


async def test_a_death_between_the_calls_and_their_record_counts_everybody_once(
    urls: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with over(urls) as story:
        await story.let_pass(HOUR)
        dying(monkeypatch, "dispatcher.after_take_back")
        await story.work()
        died = (story.shown(), await story.report())
        await story.due_now()
        await story.work()
        report = await story.report()

        assert (died[0], died[1].deleted) == ([0, 0, 0], 0)
        assert (report.deleted, report.waiting) == (3, 0)
        assert story.calls().count("deleteMessage: taken") == 3
        assert report.ended_at is not None


async def test_a_list_goes_on_where_it_was_when_its_process_died(
    urls: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "PAGE", 2)
    # The last of its pages is empty.
    async with over(urls, people=4) as story:
        await story.let_pass(HOUR)
        dying(monkeypatch, "dispatcher.after_list_page", times=2)
        for _ in range(3):
            await story.due_now()
            await WorkRunner(
                story.rig.desk.database, {"end": endings(story.rig.desk)["end"]}
            ).step()
        rows = await story.rig.sql("SELECT message_id FROM dispatcher.taking_back")
        listed = await story.report()
        await story.work()

        assert len({row[0] for row in rows}) == len(rows) == 4
        assert listed.waiting == 4
        assert (await story.report()).deleted == 4


async def test_two_who_do_the_same_at_once_count_it_once(urls: Urls) -> None:
    async with over(urls, people=4) as story:
        await story.let_pass(HOUR)
        rig = story.rig
        await asyncio.gather(
            *(ending.end(rig.desk, rig.brand_id, story.campaign.id) for _ in range(2))
        )
        await asyncio.gather(
            *(taking_back.take_back(rig.desk, rig.brand_id, rig.account_id) for _ in range(2))
        )
        await story.due_now()
        await story.work()
        report = await story.report()

        assert (report.deleted, report.waiting) == (4, 0)
        assert len(await rig.events("campaign.ended")) == 1


async def test_a_throttle_costs_time_and_nothing_else(urls: Urls) -> None:
    async with over(urls) as story:
        await story.let_pass(HOUR)
        await ending.end(story.rig.desk, story.rig.brand_id, story.campaign.id)
        story.platform.faults.add(
            Fault("rate_limited", methods=frozenset("*"), left=1, retry_after=9)
        )
        rest = await taking_back.take_back(story.rig.desk, story.rig.brand_id, story.rig.account_id)
        refused = [call for call in story.calls() if "429" in call]
        tries = await story.rig.sql("SELECT tries FROM dispatcher.taking_back WHERE tries > 0")
        await story.work()

        assert rest == timedelta(seconds=9)
        assert len(refused) == 1
        assert tries == []
        assert (await story.report()).deleted == 3


async def test_a_silent_lane_is_left_alone(urls: Urls) -> None:
    """The platform asked the account to be silent: this is no way around it."""
    async with over(urls) as story:
        await story.let_pass(HOUR)
        await story.rig.sql("UPDATE dispatcher.lane SET paused_until = now() + interval '1 minute'")
        await story.work()

        assert story.calls() == []


async def test_what_fails_is_tried_again_later_and_given_up_at_last(urls: Urls) -> None:
    async with over(urls, people=1) as story:
        await story.let_pass(HOUR)
        story.platform.faults.add(Fault("down", methods=frozenset("*")))
        reports = []
        for _ in range(len(taking_back.BACKOFF) + 1):
            await story.work()
            reports.append(await story.report())
            await story.let_pass(6 * HOUR)
        await story.work()

        assert [each.waiting for each in reports] == [1] * 5 + [0]
        assert reports[-1].kept == {"platform_error": 1}
        assert len(story.calls()) == 6


async def test_a_broken_account_is_waited_for_and_given_up_at_last(urls: Urls) -> None:
    async with over(urls, people=1) as story:
        await story.let_pass(HOUR)
        story.platform.faults.add(Fault("bad_account", methods=frozenset("*")))
        await story.work()
        waiting = await story.report()
        await story.let_pass(24 * 3 * HOUR + 60)
        await story.work()

        assert (waiting.waiting, waiting.kept) == (1, {})
        assert (await story.report()).kept == {"account_broken": 1}


def told(*at: int, live: bool = False) -> Facts:
    parts = tuple(
        Told(n, True, ("1",), clock.now() + timedelta(seconds=s)) for n, s in enumerate(at)
    )
    return Facts(UUID(int=1), UUID(int=2), UUID(int=3), "1", "it", None, live, parts)


def test_a_story_is_over_after_its_last_part() -> None:
    now, span = clock.now(), timedelta(hours=1)

    moment = ending.over_at(told(-100, -50), now=now, span=span)
    assert moment is not None
    assert abs((moment - now - span).total_seconds() + 50) < 5
    assert ending.over_at(told(), now=now, span=span) is None
    assert ending.over_at(told(-9_999, live=True), now=now, span=span) == now + span


async def test_sends_have_the_room_that_they_need(urls: Urls) -> None:
    """Deletions count as messages on this platform, and a campaign is under way: no 429 for it."""
    async with over(urls, people=30) as story:
        await story.let_pass(HOUR)
        rig, platform = story.rig, story.platform
        platform.set_limits(None, {"changes_count": True})
        more = platform.make_people("7000001", count=80)
        await rig.grant(*more)
        before = len(platform.log.since(0))
        async with rig.app.router.lifespan_context(rig.app):
            next_one = await rig.campaign(audience={"addresses": more})
            await rig.step(next_one, "launch")

            async def finished() -> bool:
                return (await rig.read(next_one)).status == "finished"

            await until(finished)
            done = await story.report()
        calls = platform.log.since(0)[before:]

        assert [call["outcome"] for call in calls if call["outcome"] != "taken"] == []
        assert 0 < done.deleted < 30
        assert sum(call["method"] == "sendMessage" for call in calls) == 80


async def test_of_two_campaigns_each_counts_its_own(urls: Urls) -> None:
    async with over(urls, people=2) as story:
        rig = story.rig
        async with rig.app.router.lifespan_context(rig.app):
            second = await rig.campaign(story=await rig.story(expires_after=2 * HOUR))
            await rig.step(second, "launch")

            async def finished() -> bool:
                return (await rig.read(second)).status == "finished"

            await until(finished)
        await story.let_pass(HOUR)
        await story.work()
        async with rig.desk.database.connection(rig.brand_id) as connection:
            ids = [story.campaign.id, second.id, new_id()]
            rows = await queries.reports(connection, brand_id=rig.brand_id, campaign_ids=ids)

        assert rows[story.campaign.id]["deleted"] == 2
        assert rows[second.id]["messages"] == 0
        assert len(rows) == 2
        assert story.shown() == [1, 1]
