"""Live recipients: whoever comes to fit while the campaign runs gets it too, once."""

from datetime import UTC, datetime, timedelta

import pytest

from services.dispatcher import expand, live
from shared.contracts.campaigns import Campaign
from shared.contracts.consent import PersonChange
from tests.dispatcher.desk_rig import Rig


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expand, "FIRST_PAGE", 2)
    monkeypatch.setattr(expand, "PAGE", 3)


async def launched(rig: Rig, **fields: object) -> Campaign:
    campaign = await rig.campaign(recipients="live", **fields)
    await rig.step(campaign, "launch")
    await rig.work()
    return campaign


async def look(rig: Rig) -> None:
    """Let the next look be due, and do it."""
    await rig.sql(
        "UPDATE dispatcher.campaign SET expand_cursor ="
        " jsonb_set(expand_cursor, '{look,due}', to_jsonb(now()::text))"
        " WHERE NOT expanded"
    )
    await rig.sql("UPDATE dispatcher.work SET due_at = now() WHERE kind = 'expand'")
    await rig.work()


async def send_all(rig: Rig) -> None:
    await rig.sql("UPDATE dispatcher.message SET status = 'sent', part = 1 WHERE status = 'queued'")


async def test_who_comes_later_gets_it_and_nobody_gets_it_twice(rig: Rig) -> None:
    await rig.grant(*"123")
    campaign = await launched(rig)
    first = await rig.read(campaign)
    await send_all(rig)
    await rig.grant("4", "05")
    await look(rig)
    second = await rig.read(campaign)
    await look(rig)

    third = await rig.read(campaign)
    assert (first.totals.accepted, first.expanded, first.status) == (3, False, "running")
    assert (second.totals.accepted, second.totals.queued, second.totals.sent) == (5, 2, 3)
    assert third.totals == second.totals
    assert [m.address for m in await rig.messages(campaign)] == ["05", "1", "2", "3", "4"]


async def test_a_frozen_one_is_for_those_of_the_launch(rig: Rig) -> None:
    await rig.grant("1")
    campaign = await rig.campaign()
    await rig.step(campaign, "launch")
    await rig.work()
    await rig.grant("2")
    await look(rig)

    found = await rig.read(campaign)
    assert (found.recipients, found.expanded, found.totals.accepted) == ("frozen", True, 1)


async def test_it_is_over_after_a_look_that_found_nobody_new_while_nothing_waited(
    rig: Rig,
) -> None:
    await rig.grant("1")
    campaign = await launched(rig)
    await look(rig)
    waits = await rig.read(campaign)
    await send_all(rig)
    await look(rig)

    found = await rig.read(campaign)
    assert (waits.status, waits.expanded) == ("running", False)
    assert (found.status, found.expanded) == ("finished", True)


async def test_who_comes_while_the_last_message_flies_keeps_it_going(rig: Rig) -> None:
    await rig.grant("1")
    campaign = await launched(rig)
    await send_all(rig)
    await rig.grant("2")
    await look(rig)

    found = await rig.read(campaign)
    assert (found.status, found.totals.queued, found.totals.sent) == ("running", 1, 1)


async def test_with_a_set_end_it_looks_until_then_even_if_nothing_waits(rig: Rig) -> None:
    await rig.grant("1")
    campaign = await launched(rig, live_until=datetime.now(UTC) + timedelta(hours=1))
    await send_all(rig)
    await look(rig)
    before = await rig.read(campaign)
    await rig.grant("2")
    await rig.sql("UPDATE dispatcher.campaign SET live_until = now()")
    await look(rig)
    # It was not the last one when it began; the next one is.
    await look(rig)
    await send_all(rig)
    await rig.grant("3")
    await rig.sql("UPDATE dispatcher.work SET due_at = now()")
    await rig.work()

    found = await rig.read(campaign)
    assert (before.status, before.expanded) == ("running", False)
    assert (found.status, found.totals.accepted, found.totals.sent) == ("finished", 2, 2)


async def test_the_last_look_is_at_the_set_end_however_long_a_rest_would_be(rig: Rig) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=7)
    await launched(rig, live_until=ends)

    [row] = await rig.sql("SELECT expand_cursor -> 'look' AS look FROM dispatcher.campaign")
    assert datetime.fromisoformat(row["look"]["due"]) == ends
    assert row["look"]["last"]
    assert timedelta(seconds=7) < live.REST


async def test_named_people_may_still_come_to_be_written_to(rig: Rig) -> None:
    await rig.grant("1")
    campaign = await launched(rig, audience={"addresses": ["1", "2", "3"]})
    first = await rig.read(campaign)
    await rig.grant("2")
    await look(rig)
    second = await rig.read(campaign)
    await send_all(rig)
    await look(rig)

    third = await rig.read(campaign)
    assert (first.totals.accepted, first.excluded) == (1, {"no_consent": 2})
    assert (second.totals.accepted, second.excluded) == (2, {"no_consent": 1})
    assert (third.totals.sent, third.totals.withheld, third.excluded) == (2, {"no_consent": 1}, {})
    assert third.status == "finished"


async def test_who_no_longer_fits_is_not_taken_back_and_those_left_out_are_counted_once(
    rig: Rig,
) -> None:
    await rig.grant("1", "2")
    await rig.say("seen", "3")
    for address in "12":
        person = await rig.consent.find_person(
            brand_id=rig.brand_id, account_id=rig.account_id, address=address
        )
        await rig.consent.change_person(rig.brand_id, person.id, PersonChange(tags=("vip",)))
    campaign = await launched(rig, audience={"tags": ["vip"]})
    await rig.consent.change_person(rig.brand_id, person.id, PersonChange(tags=()))
    await look(rig)
    everyone = await launched(rig)
    for _ in range(3):
        await look(rig)

    assert (await rig.read(campaign)).totals.queued == 2
    assert (await rig.read(everyone)).excluded == {"no_consent": 1}


async def test_a_pause_stops_looking_and_a_resume_goes_on(rig: Rig) -> None:
    campaign = await launched(rig)
    await rig.grant("1")
    later = await launched(rig, live_until=datetime.now(UTC) + timedelta(hours=1))
    await rig.step(later, "pause")
    await rig.grant("2")
    await look(rig)
    paused = (await rig.read(later)).totals.accepted
    await rig.step(later, "resume")
    await look(rig)

    assert (await rig.read(campaign)).status == "finished"
    assert (paused, (await rig.read(later)).totals.accepted) == (1, 2)


async def test_a_long_look_rests_the_longer_but_never_for_long(rig: Rig) -> None:
    await rig.grant("1")
    campaign = await launched(rig)
    await rig.sql(
        "UPDATE dispatcher.campaign SET expand_cursor = expand_cursor"
        " || '{\"through\": true}' || jsonb_build_object('look', expand_cursor -> 'look'"
        " || jsonb_build_object('began', now() - interval '1 day'))"
    )

    wait = await live.turn(rig.desk.database, rig.brand_id, campaign.id, first=rig.account_id)

    assert live.LONGEST_REST - timedelta(seconds=5) < wait <= live.LONGEST_REST
