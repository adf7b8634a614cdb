"""Every page is stored whole or not at all, once."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.dispatcher import expand
from services.dispatcher.expand import look_if_done
from services.dispatcher.queries import expansion
from services.dispatcher.queries.expansion import CursorMoved
from services.dispatcher.work import DONE
from shared.clients.base import ServiceUnavailable
from tests.dispatcher.desk_rig import Rig


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expand, "FIRST_PAGE", 2)
    monkeypatch.setattr(expand, "PAGE", 3)


async def launched(rig: Rig, **fields: object):
    campaign = await rig.campaign(**fields)
    await rig.step(campaign, "launch")
    return campaign


async def test_everyone_who_agreed_gets_one_message(rig: Rig) -> None:
    await rig.grant(*"123456789")
    await rig.say("seen", "99")
    campaign = await launched(rig)

    await rig.work()

    found = await rig.read(campaign)
    assert found.expanded
    assert found.totals.accepted == found.totals.queued == 9
    assert found.excluded == {"no_consent": 1}
    messages = await rig.messages(campaign)
    assert [m.address for m in messages] == list("123456789")
    assert all(m.consent_event_id and m.person_id and m.parts == 1 for m in messages)


async def test_the_grant_that_a_message_stands_on_is_written_with_it(rig: Rig) -> None:
    await rig.grant("7")
    told = await rig.say("grant", "7")
    await launched(rig)

    await rig.work()

    [row] = await rig.sql("SELECT grant_seq FROM dispatcher.message")
    assert row["grant_seq"] == told.seq


async def test_named_people_who_may_not_be_written_to_are_withheld_one_by_one(rig: Rig) -> None:
    await rig.grant("1", "3")
    await rig.say("revoke", "3")
    campaign = await launched(rig, audience={"addresses": ["5", "3", "1", "4", "1"]})

    await rig.work()

    found = await rig.read(campaign)
    assert found.totals.accepted == 4
    assert found.totals.queued == 1
    assert found.totals.withheld == {"revoked": 1, "no_consent": 2}
    assert found.excluded == {}


async def test_two_workers_on_one_campaign_double_nothing(rig: Rig) -> None:
    await rig.grant(*"123456789")
    campaign = await launched(rig)

    await asyncio.gather(
        *(expand.expand(rig.desk, rig.brand_id, campaign.id) for _ in range(4)),
    )
    await rig.work()

    found = await rig.read(campaign)
    assert found.totals.accepted == 9
    assert len(await rig.messages(campaign)) == 9


async def test_a_page_is_stored_only_from_where_it_was_asked_for(rig: Rig) -> None:
    await rig.grant("1", "2")
    campaign = await launched(rig)
    page = {
        "brand_id": rig.brand_id,
        "campaign_id": campaign.id,
        "account_id": rig.account_id,
        "day": datetime.now(UTC).date(),
        "purpose": "marketing",
        "deadline": None,
        "lines": [],
        "before": None,
        "after": {"account": str(rig.account_id), "after": "1"},
        "excluded": {},
    }
    async with rig.desk.database.connection(rig.brand_id) as connection:
        assert await expansion.store_page(connection, **page) == 0

    with pytest.raises(CursorMoved):
        async with rig.desk.database.connection(rig.brand_id) as connection:
            await expansion.store_page(connection, **page)


async def test_a_crash_between_two_pages_loses_and_doubles_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.grant(*"123456789")
    campaign = await launched(rig)
    stored = expansion.store_page
    pages = 0

    async def die_in_the_third(*args: object, **kwargs: object) -> int:
        nonlocal pages
        pages += 1
        new = await stored(*args, **kwargs)
        if pages == 3:
            raise ConnectionResetError("the power went off before the commit")
        return new

    monkeypatch.setattr(expansion, "store_page", die_in_the_third)
    with pytest.raises(ExceptionGroup):
        await expand.expand(rig.desk, rig.brand_id, campaign.id)
    halfway = (await rig.read(campaign)).totals

    await rig.work()

    assert halfway.accepted == halfway.queued == 5
    assert (await rig.read(campaign)).totals.accepted == 9
    assert len(await rig.messages(campaign)) == 9


async def test_a_pause_stops_the_expansion_and_a_resume_goes_on(rig: Rig) -> None:
    await rig.grant(*"1234")
    campaign = await launched(rig)
    await rig.step(campaign, "pause")

    await rig.work()
    paused = (await rig.read(campaign)).totals.accepted
    await rig.step(campaign, "resume")
    await rig.work()

    assert paused == 0
    assert (await rig.read(campaign)).totals.accepted == 4


async def test_consent_away_means_nobody_is_added_and_it_is_asked_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.grant("1")
    campaign = await launched(rig)

    async def away(**question: object) -> None:
        raise ServiceUnavailable("consent", "cut off", sent=False)

    with monkeypatch.context() as cut:
        cut.setattr(rig.desk.consent, "audience", away)
        wait = await expand.expand(rig.desk, rig.brand_id, campaign.id)
    before = (await rig.read(campaign)).totals.accepted
    await rig.work()

    assert wait == expand.ASK_AGAIN
    assert before == 0
    assert (await rig.read(campaign)).totals.accepted == 1


async def test_everybody_is_written_to_in_their_language(rig: Rig) -> None:
    english = {"frames": [{"text": "Hello"}, {"text": "Bye"}]}
    story = await rig.story(variants={"en": english, "pt-BR": english})
    await rig.grant("1", language="en-GB")
    await rig.grant("2", language="it")
    await rig.grant("3", language="ja")
    await rig.grant("4", language="pt")
    await rig.grant("5", language=None)
    await launched(rig, story=story)

    await rig.work()

    rows = await rig.sql("SELECT language FROM dispatcher.message ORDER BY address")
    assert [row[0] for row in rows] == ["en", "it", "it", "pt-BR", "it"]


async def test_a_change_of_the_story_does_not_touch_what_was_launched(rig: Rig) -> None:
    story = await rig.story()
    await launched(rig, story=story)
    answer = await rig.http.patch(
        rig.path("stories", story.id), json={"frames": [{"text": "Altro"}], "language": "de"}
    )
    await rig.grant("1")

    await rig.work()

    [row] = await rig.sql("SELECT language FROM dispatcher.message")
    [frozen] = await rig.sql("SELECT parts FROM dispatcher.rendering")
    assert answer.json()["version"] == 2
    assert row["language"] == "it"
    assert "Ciao" in str(frozen["parts"])


async def test_local_time_is_the_hour_where_each_person_lives(rig: Rig) -> None:
    at = (datetime.now(UTC) + timedelta(hours=13)).replace(microsecond=0)
    await rig.grant("1", timezone="Asia/Tokyo")
    await rig.grant("2", timezone="America/New_York")
    await rig.grant("3")
    campaign = await launched(rig, send_at=at, recipient_local_time=True)

    await rig.work()

    rows = await rig.sql("SELECT due_at, reason FROM dispatcher.message ORDER BY address")
    tokyo, new_york, nowhere = rows
    assert tokyo["due_at"] == at - timedelta(hours=9)
    assert at + timedelta(hours=4) <= new_york["due_at"] <= at + timedelta(hours=5)
    assert (nowhere["due_at"], nowhere["reason"]) == (at, "zone_fallback")
    assert tokyo["reason"] is None
    assert (await rig.read(campaign)).status == "running"


async def test_several_accounts_are_expanded_one_after_the_other(rig: Rig) -> None:
    await rig.grant(*"123")
    first = rig.account_id
    other = await rig.add_account(credentials={"token": "77:other"})
    for address in "2345":
        await rig.say("grant", address, account_id=other)
    campaign = await launched(rig)

    await rig.work()

    per_account: dict[object, int] = {}
    for message in await rig.messages(campaign):
        per_account[message.account_id] = per_account.get(message.account_id, 0) + 1
    assert per_account == {first: 3, other: 4}


async def test_nobody_to_write_to_finishes_at_once(rig: Rig) -> None:
    campaign = await launched(rig)

    await rig.work()

    assert (await rig.read(campaign)).status == "finished"
    assert [e.data["totals"]["accepted"] for e in await rig.events("campaign.finished")] == [0]


async def test_an_expanded_campaign_is_found_finished_by_nobody_else(rig: Rig) -> None:
    await rig.grant("1")
    campaign = await launched(rig)
    await rig.work()
    waiting = await look_if_done(rig.desk, rig.brand_id, campaign.id)
    await rig.sql("UPDATE dispatcher.message SET status = 'sent', part = 1")

    done = await look_if_done(rig.desk, rig.brand_id, campaign.id)

    assert waiting == expand.LOOK_AGAIN
    assert done is DONE
    assert (await rig.read(campaign)).status == "finished"
