"""Frequency caps: so many messages to one person, over all campaigns, topics and channels."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.consent.caps import full_until
from services.consent.queries import checks
from services.consent.registry import Registry
from services.consent.timing import Timing, Wish, take_places
from shared.contracts.clock import Cap
from shared.contracts.consent import Evidence
from shared.contracts.merges import MergeIn, SplitIn
from shared.contracts.policy import BrandPolicy
from shared.database import Database
from shared.ids import new_id
from tests.consent.consent_house import House

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ONE_A_DAY = {"messages": 1, "days": 1}


def ago(**how_long: float) -> datetime:
    return NOON - timedelta(**how_long)


@pytest.mark.parametrize(
    ("told", "caps", "until"),
    [
        ([], [(1, 1)], None),
        ([ago(hours=23)], [(1, 1)], ago(hours=-1)),
        ([ago(hours=24)], [(1, 1)], None),
        ([ago(hours=23)], [(2, 1)], None),
        ([ago(hours=20), ago(hours=1)], [(2, 1)], ago(hours=-4)),
        ([ago(days=3), ago(days=2), ago(days=1)], [(1, 1), (3, 7)], ago(days=-4)),
        ([ago(days=3), ago(days=2), ago(hours=1)], [(1, 1), (4, 7)], ago(hours=-23)),
        ([ago(hours=1)], [], None),
    ],
)
def test_there_is_room_once_enough_of_them_are_old(told, caps, until):
    rules = [Cap(messages=messages, days=days) for messages, days in caps]

    assert full_until(NOON, told, rules) == until


@given(
    st.lists(st.integers(0, 24 * 40), max_size=60),
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 31)), min_size=1, max_size=3),
)
def test_who_is_let_go_when_there_is_room_never_gets_more_than_any_cap(hours, limits):
    caps = [Cap(messages=messages, days=days) for messages, days in limits]
    sent: list[datetime] = []
    for hour in sorted(hours):
        now = NOON + timedelta(hours=hour)
        until = full_until(now, sent, caps)
        if until is None:
            sent.append(now)
        else:
            assert until > now
            assert full_until(until, sent, caps) is None

    for cap in caps:
        window = timedelta(days=cap.days)
        for begin in sent:
            assert len([s for s in sent if begin <= s < begin + window]) <= cap.messages


async def test_a_message_takes_a_place_and_the_next_has_to_wait(house: House) -> None:
    await house.rule(caps=[ONE_A_DAY])
    await house.say("grant")
    before = datetime.now(UTC)
    first = await house.send()
    (waits,) = await house.check("42", messages=[new_id()])

    assert first == "granted"
    assert (waits.allowed, waits.reason) == (False, "capped")
    assert waits.until is not None
    assert timedelta(days=1) <= waits.until - before < timedelta(days=1, minutes=1)


async def test_who_has_a_place_keeps_it_however_often_it_is_asked(house: House) -> None:
    """A message that was let go and could not begin in time comes back, and is no second one."""
    await house.rule(caps=[ONE_A_DAY])
    await house.say("grant")
    message = [new_id()]
    answers = [(await house.check("42", messages=message))[0].reason for _ in range(3)]

    assert answers == ["granted"] * 3
    assert await house.send() == "capped"


async def test_a_question_without_a_message_takes_nothing(house: House) -> None:
    await house.rule(caps=[ONE_A_DAY])
    await house.say("grant")

    assert [await house.answer() for _ in range(3)] == ["granted"] * 3
    assert await house.send() == "granted"
    assert await house.answer() == "capped"


async def test_it_counts_over_topics_channels_and_accounts_and_service_is_apart(
    house: House,
) -> None:
    await house.add("second", "telegram")
    await house.rule(caps=[{"messages": 2, "days": 1}])
    await house.say("grant")
    await house.say("grant", account="second")
    await house.say("grant", purpose="service")

    assert await house.send(purpose="marketing.news") == "granted"
    assert await house.send(account="second") == "granted"
    assert await house.send() == "capped"
    assert await house.send(account="second", purpose="marketing.news") == "capped"
    assert await house.send(purpose="service") == "granted"
    assert await house.send(purpose="reply") == "reply"


async def test_two_in_one_question_are_two(house: House) -> None:
    await house.rule(caps=[{"messages": 2, "days": 1}])
    await house.say("grant")
    await house.say("grant", "43")
    answers = await house.check("42", "42", "43", "42", messages=[new_id() for _ in range(4)])

    assert [each.reason for each in answers] == ["granted", "granted", "granted", "capped"]


async def test_who_may_not_be_written_to_takes_no_place(house: House) -> None:
    await house.rule(caps=[ONE_A_DAY])
    await house.say("revoke")
    refused = await house.send()
    await house.say("grant")

    assert refused == "revoked"
    assert await house.send() == "granted"


async def test_many_who_ask_at_once_get_no_more_places_than_there_are(house: House) -> None:
    """Lanes of several accounts ask side by side about the same people."""
    people = [str(n) for n in range(20)]
    await house.rule(caps=[{"messages": 2, "days": 1}])
    for name in ("b", "c", "d"):
        await house.add(name, "telegram")
    for person in people:
        for account in house.accounts:
            await house.say("grant", person, account=account)

    async def ask(account: str, order: list[str]) -> list[str]:
        messages = [new_id() for _ in order]
        found = await house.check(*order, account=account, messages=messages)
        return [each.address for each in found if each.allowed]

    asked = await asyncio.gather(
        *(
            ask(account, people if turn % 2 else people[::-1])
            for account in house.accounts
            for turn in range(3)
        )
    )
    granted = [address for answer in asked for address in answer]

    assert sorted(granted) == sorted(people * 2)


async def test_who_asks_while_a_place_is_being_taken_waits_to_see_it_taken(
    house: House, registry: Registry, owner_database: Database
) -> None:
    await house.rule(caps=[ONE_A_DAY])
    person = await house.say("grant")
    wish = Wish(0, person.person_id, new_id())
    rules = BrandPolicy(caps=(Cap(**ONE_A_DAY),))
    clock = Timing(datetime.now(UTC), "IT", "Europe/Rome", rules, hours=False)

    async def somebody_waits() -> bool:
        async with owner_database.connection() as looking:
            return bool(
                await looking.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                )
            )

    async with registry.database.connection(house.brand_id) as connection:
        await connection.execute(
            "INSERT INTO consent.contact VALUES ($1, $2)", house.brand_id, person.person_id
        )
    async with registry.database.connection(house.brand_id) as connection:
        await checks.contacts(
            connection, brand_id=house.brand_id, people=[person.person_id], lock=True
        )
        other = asyncio.create_task(house.send())
        while not other.done() and not await somebody_waits():
            await asyncio.sleep(0.01)
        full = await take_places(connection, house.brand_id, clock, [wish])

    assert full == {}
    assert await other == "capped"


async def test_a_day_later_there_is_room_and_the_old_ones_are_forgotten(
    house: House, registry: Registry
) -> None:
    await house.rule(caps=[ONE_A_DAY])
    person = await house.say("grant")

    async def turn(days: int) -> int:
        async with registry.database.connection(house.brand_id) as connection:
            kept: int = await connection.fetchval(
                "UPDATE consent.contact SET at = ARRAY(SELECT each - make_interval(days => $2)"
                " FROM unnest(at) AS each) WHERE person_id = $1 RETURNING cardinality(at)",
                person.person_id,
                days,
            )
        return kept

    first = await house.send()
    await turn(1)
    second = await house.send()
    assert await turn(31) == 2
    third = await house.send()

    assert [first, second, third] == ["granted"] * 3
    assert await turn(0) == 1


async def test_who_is_merged_gets_no_more_for_it_and_no_more_for_being_taken_apart(
    house: House,
) -> None:
    await house.rule(caps=[{"messages": 2, "days": 1}])
    kept, gone = await house.say("grant", "1"), await house.say("grant", "2")
    assert await house.send("2") == "granted"
    evidence = Evidence(source="support_desk")
    order = MergeIn(
        id=new_id(),
        brand_id=house.brand_id,
        kept_id=kept.person_id,
        gone_id=gone.person_id,
        evidence=evidence,
    )
    await house.client.merge(order)

    assert [await house.send("1"), await house.send("1")] == ["granted", "capped"]

    await house.client.split(
        SplitIn(
            id=new_id(),
            brand_id=house.brand_id,
            kept_id=kept.person_id,
            merge_id=order.id,
            evidence=evidence,
        )
    )
    assert [await house.send("1"), await house.send("2")] == ["capped", "capped"]


async def test_who_is_at_a_cap_is_eligible_and_counted_as_waiting(house: House) -> None:
    await house.rule(caps=[{"messages": 2, "days": 1}, {"messages": 1, "days": 1}])
    for address in ("a", "b", "c"):
        await house.say("grant", address)
    await house.send("a")

    everyone, named = await house.count(), await house.count("a", "b")

    assert (everyone.eligible, everyone.deferred) == (3, {"capped": 1})
    assert (named.eligible, named.deferred) == (2, {"capped": 1})
