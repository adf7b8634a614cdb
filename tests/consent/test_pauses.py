"""A pause keeps every yes and lets none of them be used, until it ends."""

from datetime import UTC, datetime, timedelta

import pytest

from services.consent.pause_ends import PauseEnds
from services.consent.registry import Registry
from shared.contracts.consent import ConsentRecorded, Evidence, PersonChange, Scope
from shared.contracts.policy import BrandPolicy
from shared.database import Database
from tests.consent.consent_house import House

DAY = timedelta(days=1)


@pytest.fixture
def ends(registry: Registry) -> PauseEnds:
    return PauseEnds(registry)


async def until_idle(ends: PauseEnds) -> None:
    while await ends.step():
        pass


async def writes(house: House, text: str, address: str = "42", **more: object) -> ConsentRecorded:
    """Let a person write to the brand, where an answer is owed."""
    evidence = Evidence(source="chat", text=text, at=datetime.now(UTC))
    return await house.say("heard", address, evidence=evidence, wants_reply=True, **more)


async def let_days_pass(house: House, owner: Database, days: int) -> None:
    """Turn the registry's rows back, since nobody can turn the database's clock."""
    changes = {
        "state": ("paused_until",),
        "pause": ("until", "platform_at"),
        "pause_due": ("due_at",),
        "review": ("opened_at", "due_at"),
    }
    async with owner.connection() as connection:
        for table, columns in changes.items():
            turned = ", ".join(f"{name} = {name} - $2 * interval '1 day'" for name in columns)
            await connection.execute(
                f"UPDATE consent.{table} SET {turned} WHERE brand_id = $1", house.brand_id, days
            )


async def lines(house: House, recorded: ConsentRecorded) -> list[str]:
    found = await house.client.history(house.brand_id, recorded.person_id)
    return [item.action for item in found.items]


async def news(house: House, start: int) -> list[str]:
    items = (await house.client.feed(after=start, limit=1_000)).items
    return [item.type for item in items if item.brand_id == house.brand_id]


async def test_who_asks_for_a_pause_is_left_alone_for_so_long(house: House, start: int) -> None:
    granted = await house.say("grant")
    paused = await writes(house, "non scrivetemi per due settimane")
    (state,) = (await house.client.get_person(house.brand_id, granted.person_id)).consents

    assert await house.answer() == "paused"
    assert (paused.state, paused.paused_until) == ("paused", paused.effective_at + 14 * DAY)
    assert {reached.purposes for reached in paused.reaches} == {("marketing", "measuring")}
    assert (state.status, state.paused, state.paused_until) == (
        "granted",
        True,
        paused.paused_until,
    )
    assert await lines(house, granted) == ["grant", "pause"]
    assert await news(house, start) == ["consent.granted", "consent.paused"]


async def test_where_no_length_is_told_it_is_thirty_days(house: House) -> None:
    await house.say("grant")
    paused = await house.say("pause", scope=Scope.CHANNEL)

    assert paused.paused_until == paused.effective_at + 30 * DAY


@pytest.mark.parametrize("purpose", ["marketing", "marketing.news", "measuring"])
async def test_what_is_granted_during_a_pause_is_paused_too(house: House, purpose: str) -> None:
    await house.say("grant")
    await house.say("pause", scope=Scope.CHANNEL)
    granted = await house.say("grant", purpose=purpose)

    assert granted.state == "granted"
    assert await house.answer(purpose=purpose) == "paused"


async def test_an_account_that_comes_later_is_paused_too(house: House) -> None:
    await house.say("pause", scope=Scope.CHANNEL)
    await house.add("later", "telegram")
    await house.say("grant", account="later")

    assert await house.answer(account="later") == "paused"


async def test_service_goes_on_and_so_does_another_channel(house: House) -> None:
    await house.add("phone", "whatsapp")
    await house.say("grant", purpose="service")
    await house.say("grant", "42", account="phone")
    await writes(house, "pause 30 days")

    assert await house.answer(purpose="service") == "granted"
    assert await house.answer(account="phone") == "granted"


async def test_a_no_is_told_as_a_no_during_a_pause(house: House) -> None:
    await house.say("grant")
    await house.say("grant", purpose="measuring")
    await writes(house, "pause 30 days")
    await house.say("revoke", purpose="measuring")

    assert await house.answer(purpose="measuring") == "revoked"
    assert await house.answer() == "paused"


async def test_it_ends_by_itself_and_the_old_yes_counts_again(
    house: House, ends: PauseEnds, owner_database: Database, start: int
) -> None:
    granted = await house.say("grant")
    await writes(house, "pause 10 days")
    await until_idle(ends)
    before = await house.answer()
    await let_days_pass(house, owner_database, 11)
    by_the_clock = await house.answer()
    await until_idle(ends)

    assert (before, by_the_clock, await house.answer()) == ("paused", "granted", "granted")
    assert await lines(house, granted) == ["grant", "pause", "resume"]
    assert await news(house, start) == ["consent.granted", "consent.paused", "consent.resumed"]
    (state,) = (await house.client.get_person(house.brand_id, granted.person_id)).consents
    assert (state.paused, state.paused_until, state.consent_event_id) == (False, None, granted.id)


async def test_a_start_ends_it_and_needs_no_new_consent(house: House, start: int) -> None:
    granted = await house.say("grant")
    await writes(house, "pause 30 days")
    begun = house.event("heard", evidence=Evidence(source="chat", text="START"), wants_reply=True)
    back = await house.client.record(begun)

    assert (back.state, await house.answer()) == ("granted", "granted")
    assert back.reply is not None
    assert await lines(house, granted) == ["grant", "pause", "resume"]
    assert (await house.client.record(begun)).seq == back.seq
    assert (await news(house, start))[-1] == "consent.resumed"


async def test_a_start_where_nothing_was_granted_is_a_yes_and_ends_the_pause(house: House) -> None:
    await house.client.put_policy(house.brand_id, BrandPolicy(double_opt_in=False))
    paused = await writes(house, "pause 30 days")
    back = await writes(house, "START")

    assert (back.state, await house.answer()) == ("granted", "granted")
    assert await lines(house, paused) == ["pause", "grant", "resume"]


async def test_a_start_that_is_older_than_the_pause_ends_nothing(house: House) -> None:
    await house.say("grant")
    paused = await writes(house, "pause 30 days")
    late = await house.say("grant", source="chat", at=paused.effective_at - timedelta(minutes=1))

    assert (late.state, late.reason) == ("unchanged", "older_than_pause")
    assert await house.answer() == "paused"


async def test_another_pause_only_makes_it_longer(house: House) -> None:
    await house.say("grant")
    first = await writes(house, "pause 30 days")
    second = await writes(house, "pause 60 days")
    third = await writes(house, "pause 2 days")

    assert first.paused_until is not None
    assert second.paused_until == second.effective_at + 60 * DAY
    assert third.paused_until == second.paused_until


async def test_the_old_end_of_a_longer_pause_ends_nothing(
    house: House, ends: PauseEnds, owner_database: Database
) -> None:
    granted = await house.say("grant")
    await writes(house, "pause 30 days")
    await writes(house, "pause 60 days")
    await let_days_pass(house, owner_database, 40)
    await until_idle(ends)

    assert await house.answer() == "paused"
    assert await lines(house, granted) == ["grant", "pause", "pause"]


async def test_a_stop_during_a_pause_is_a_no_that_outlives_it(
    house: House, ends: PauseEnds, owner_database: Database
) -> None:
    granted = await house.say("grant")
    await writes(house, "pause 10 days")
    stopped = await writes(house, "STOP")
    await let_days_pass(house, owner_database, 11)
    await until_idle(ends)

    assert (stopped.state, await house.answer()) == ("revoked", "revoked")
    assert await lines(house, granted) == ["grant", "pause", "revoke"]
    # Whoever says yes anew after that is not held by a pause of before.
    await house.say("grant")
    assert await house.answer() == "granted"


async def test_a_no_to_one_topic_leaves_the_pause(house: House) -> None:
    await house.say("grant")
    await writes(house, "pause 10 days")
    await house.say("revoke", purpose="marketing.news")

    assert await house.answer() == "paused"


async def test_in_the_united_states_a_pause_reaches_all_channels(house: House) -> None:
    american = House(house.client)
    await american.open(country="US", bot="telegram", phone="whatsapp")
    await american.say("grant")
    paused = await writes(american, "pause 30 days")

    assert {reached.account_id for reached in paused.reaches} == {american.accounts["bot"]}
    (line,) = [
        item
        for item in (await american.client.history(american.brand_id, paused.person_id)).items
        if item.action == "pause"
    ]
    assert line.scope is Scope.BRAND


async def test_the_answer_tells_the_day_where_the_person_is(house: House) -> None:
    granted = await house.say("grant")
    await house.client.change_person(
        house.brand_id, granted.person_id, PersonChange(timezone="Pacific/Kiritimati")
    )
    until = datetime(datetime.now(UTC).year, 12, 31, 20, 0, tzinfo=UTC)
    if until < datetime.now(UTC):
        until = until.replace(year=until.year + 1)
    paused = await house.say(
        "pause", scope=Scope.CHANNEL, until=until, source="chat", wants_reply=True
    )

    assert paused.reply is not None
    assert f"1º gennaio {until.year + 1}" in paused.reply
    assert "START" in paused.reply


async def test_an_end_in_the_past_is_no_pause(house: House) -> None:
    await house.say("grant")
    late = await house.say("pause", until=datetime.now(UTC) - DAY)

    assert (late.state, late.reason) == ("unchanged", "expired")
    assert await house.answer() == "granted"


async def test_nobody_is_silent_for_longer_than_a_year_by_a_pause(house: House) -> None:
    paused = await house.say("pause", until=datetime.now(UTC) + 4_000 * DAY)

    assert paused.paused_until == paused.effective_at + 366 * DAY


async def test_a_repeat_of_a_pause_is_answered_alike(house: House) -> None:
    await house.say("grant")
    event = house.event("pause", scope=Scope.CHANNEL, wants_reply=True, source="chat")
    first = await house.client.record(event)

    assert await house.client.record(event) == first
    assert first.reply is not None
