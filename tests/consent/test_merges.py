"""Two persons who are one: never a yes more than each had, and every no for both."""

import asyncio
import itertools
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.consent.expiry import Expiry
from services.consent.notary import Notary
from services.consent.queries import expiry, imports, merges
from services.consent.queries import people as people_queries
from services.consent.registry import Registry
from services.consent.suppression import Suppressor
from shared.clients.base import ServiceRefused
from shared.clock import now
from shared.contracts.consent import ConsentRecorded, Evidence, Person, PersonChange, Scope
from shared.contracts.merges import MergeIn, MoveIn, SplitIn
from shared.contracts.policy import BrandPolicy
from shared.ids import new_id
from tests.consent.consent_house import House

DESK = Evidence(source="support_desk", text="One loyalty card")
NUMBERS = itertools.count()


async def person(house: House, address: str, account: str = "bot") -> Person:
    return await house.client.find_person(
        brand_id=house.brand_id, account_id=house.accounts[account], address=address
    )


async def merged(house: House, kept: UUID, gone: UUID, **more: Any) -> ConsentRecorded:
    order = {"id": new_id(), "brand_id": house.brand_id, "evidence": DESK, **more}
    return await house.client.merge(MergeIn(kept_id=kept, gone_id=gone, **order))


async def taken_apart(house: House, kept: UUID, merge: UUID, **more: Any) -> ConsentRecorded:
    order = {"id": new_id(), "brand_id": house.brand_id, "evidence": DESK, **more}
    return await house.client.split(SplitIn(kept_id=kept, merge_id=merge, **order))


async def moved(house: House, address: str, new_address: str, **more: Any) -> ConsentRecorded:
    order = {"id": new_id(), "account_id": house.accounts["bot"], "at": now(), **more}
    return await house.client.move(
        MoveIn(brand_id=house.brand_id, address=address, new_address=new_address, **order)
    )


@pytest.fixture
async def two(house: House) -> tuple[UUID, UUID]:
    """Ada at `a` and at `b`, as two persons; both said yes."""
    await house.add("other", "whatsapp")
    first = await house.say("grant", "a")
    second = await house.say("grant", "b")
    return first.person_id, second.person_id


async def refusal(call: Any) -> tuple[int, str]:
    with pytest.raises(ServiceRefused) as refused:
        await call
    return refused.value.status, refused.value.code


async def test_addresses_tags_and_history_come_together(
    house: House, two: tuple[UUID, UUID]
) -> None:
    kept, gone = two
    client, brand = house.client, house.brand_id
    mine = PersonChange(tags=("vip",), attributes={"city": "Roma"}, language="it")
    theirs = PersonChange(
        tags=("vip", "espresso"), attributes={"city": "Bari", "age": 41}, timezone="Europe/Rome"
    )
    await client.change_person(brand, kept, mine)
    await client.change_person(brand, gone, theirs)
    done = await merged(house, kept, gone)
    one, other = await client.get_person(brand, kept), await client.get_person(brand, gone)
    told = await client.history(brand, kept)

    assert (done.state, done.reaches) == ("unchanged", ())
    assert {each.address for each in one.addresses} == {"a", "b"}
    assert one.tags == ("espresso", "vip")
    assert one.attributes == {"city": "Roma", "age": 41}
    assert (one.language, one.timezone) == ("it", "Europe/Rome")
    assert (other.merged_into, other.addresses, other.consents) == (kept, (), ())
    assert (await person(house, "b")).id == kept
    assert [each.action for each in told.items] == ["grant", "grant", "merge", "merge"]
    assert told.items[-1].evidence.text == "One loyalty card"
    assert [await house.answer(each) for each in "ab"] == ["granted", "granted"]

    await client.change_person(brand, kept, PersonChange(tags=("vip", "espresso", "new")))
    await taken_apart(house, kept, done.id)
    one, other = await client.get_person(brand, kept), await client.get_person(brand, gone)

    assert [each.address for each in one.addresses] == ["a"]
    assert [each.address for each in other.addresses] == ["b"]
    assert (one.tags, one.attributes) == (("new", "vip"), {"city": "Roma"})
    assert (one.language, one.timezone) == ("it", None)
    assert (other.tags, other.merged_into) == (("espresso", "vip"), None)
    assert [await house.answer(each) for each in "ab"] == ["granted", "granted"]
    assert [each.action for each in (await client.history(brand, gone)).items] == [
        *("grant", "merge", "split")
    ]


@pytest.mark.parametrize("whose", ["a", "b"])
async def test_a_no_of_either_holds_for_both_and_a_split_restores_nothing(
    house: House, two: tuple[UUID, UUID], whose: str
) -> None:
    kept, gone = two
    spared = "b" if whose == "a" else "a"
    await house.say("revoke", whose, scope=Scope.CHANNEL)
    done = await merged(house, kept, gone)

    assert done.state == "revoked"
    assert (house.accounts["bot"], spared) in {(r.account_id, r.address) for r in done.reaches}
    assert {purpose for r in done.reaches for purpose in r.purposes} == {"marketing", "measuring"}
    assert [await house.answer(each) for each in "ab"] == ["revoked", "revoked"]
    await taken_apart(house, kept, done.id)
    assert [await house.answer(each) for each in "ab"] == ["revoked", "revoked"]
    await house.say("grant", spared)
    assert await house.answer(spared) == "granted"
    assert await house.answer(whose) == "revoked"


async def test_a_no_reaches_no_further_than_it_was_said(
    house: House, two: tuple[UUID, UUID]
) -> None:
    kept, gone = two
    await house.add("second", "telegram")
    await house.say("grant", "a", account="second")
    await house.say("grant", "a", purpose="service")
    await house.say("revoke", "b", scope=Scope.ACCOUNT)
    await merged(house, kept, gone)

    assert await house.answer("a") == "revoked"
    assert await house.answer("a", purpose="service") == "granted"
    assert await house.answer("a", account="second") == "granted"


async def test_a_topic_refused_by_name_is_refused_for_both(
    house: House, two: tuple[UUID, UUID]
) -> None:
    await house.say("revoke", "b", purpose="marketing.news")
    await merged(house, *two)

    assert await house.answer("a", purpose="marketing.news") == "revoked"
    assert await house.answer("a", purpose="marketing.offers") == "granted"


async def test_a_later_no_of_the_one_person_reaches_all_addresses(
    house: House, two: tuple[UUID, UUID]
) -> None:
    done = await merged(house, *two)
    said = await house.say("revoke", "b", scope=Scope.CHANNEL)
    assert {each.address for each in said.reaches} == {"a", "b"}
    await taken_apart(house, two[0], done.id)

    assert [await house.answer(each) for each in "ab"] == ["revoked", "revoked"]
    late = await house.say("grant", "b", at=said.effective_at.replace(year=2020))
    assert late.reason == "older_than_revocation"
    late = await house.say("grant", "a", at=said.effective_at.replace(year=2020))
    assert late.reason == "older_than_revocation"


async def test_an_older_yes_does_not_undo_a_no_from_before_the_merge(
    house: House, two: tuple[UUID, UUID]
) -> None:
    said = await house.say("revoke", "b", scope=Scope.CHANNEL)
    await merged(house, *two)
    for address in "ab":
        late = await house.say("grant", address, at=said.effective_at.replace(year=2020))
        assert late.reason == "older_than_revocation"


async def test_a_repeat_changes_nothing(house: House, two: tuple[UUID, UUID]) -> None:
    kept, gone = two
    await house.say("revoke", "b")
    event = new_id()
    first, again = [await merged(house, kept, gone, id=event) for _ in range(2)]
    assert first == again
    assert first.reaches
    event = new_id()
    apart = [await taken_apart(house, kept, first.id, id=event) for _ in range(2)]
    assert apart[0] == apart[1]


async def test_what_cannot_be_is_refused(house: House, two: tuple[UUID, UUID]) -> None:
    kept, gone = two
    third = (await house.say("grant", "c")).person_id
    assert await refusal(merged(house, kept, kept)) == (422, "invalid")
    assert await refusal(merged(house, kept, new_id())) == (404, "unknown_person")
    done = await merged(house, kept, gone)
    assert await refusal(merged(house, third, gone)) == (409, "already_merged")
    assert await refusal(merged(house, kept, gone)) == (409, "already_merged")
    change = house.client.change_person(house.brand_id, gone, PersonChange(tags=("x",)))
    assert await refusal(change) == (409, "already_merged")
    assert await refusal(taken_apart(house, third, done.id)) == (404, "unknown_merge")
    assert await refusal(taken_apart(house, kept, new_id())) == (404, "unknown_merge")
    assert await refusal(taken_apart(house, kept, new_id(), id=done.id)) == (404, "unknown_merge")
    upper = await merged(house, third, kept)
    assert await refusal(taken_apart(house, kept, done.id)) == (409, "already_merged")
    await taken_apart(house, third, upper.id)
    await taken_apart(house, kept, done.id)
    assert await refusal(taken_apart(house, kept, done.id)) == (409, "already_split")
    reused = (await house.say("grant", "a")).id
    assert await refusal(merged(house, kept, gone, id=reused)) == (409, "id_reused")


async def test_no_brand_merges_anothers_people(house: House, two: tuple[UUID, UUID]) -> None:
    other = await House(house.client).open(bot="telegram")
    theirs = (await other.say("grant", "a")).person_id

    assert await refusal(merged(other, theirs, two[0])) == (404, "unknown_person")


async def test_three_are_one_and_come_apart_in_order(house: House, two: tuple[UUID, UUID]) -> None:
    kept, gone = two
    third = (await house.say("grant", "c")).person_id
    inner, outer = await merged(house, kept, gone), await merged(house, third, kept)
    told = await house.client.history(house.brand_id, third)
    assert {each.address for each in told.items} == {"a", "b", "c"}
    await taken_apart(house, third, outer.id)
    assert (await person(house, "b")).id == kept
    await taken_apart(house, kept, inner.id)
    assert [(await person(house, each)).id for each in "abc"] == [kept, gone, third]


async def test_lines_are_in_the_log_and_news_in_the_feed(
    house: House, registry: Registry, two: tuple[UUID, UUID], start: int
) -> None:
    done = await merged(house, *two)
    apart = await taken_apart(house, two[0], done.id)
    await Notary(registry).advance(house.brand_id)
    feed = await house.client.feed(after=start)
    told = [(item.type, item.event_id) for item in feed.items if item.brand_id == house.brand_id]

    assert ("person.merged", done.id) in told
    assert ("person.split", apart.id) in told
    proof = await house.client.prove(house.brand_id, done.id)
    assert proof.entry.entry is not None
    assert proof.entry.entry["action"] == "merge"


async def test_a_grant_that_ran_out_after_a_merge_still_ends(
    house: House, registry: Registry, two: tuple[UUID, UUID]
) -> None:
    await house.say("grant", "b", expires_at=now().replace(year=2999))
    await merged(house, *two)
    async with registry.database.connection(house.brand_id) as connection:
        for table in ("expiry", "state"):
            await connection.execute(
                f"UPDATE consent.{table} SET expires_at = now() - interval '1 second'"
                " WHERE brand_id = $1 AND expires_at IS NOT NULL",
                house.brand_id,
            )
    await Expiry(registry).step()

    assert await house.answer("b") == "expired"
    (last,) = (await house.client.history(house.brand_id, two[0])).items[-1:]
    assert (last.action, last.address) == ("expire", "b")


async def blocked(registry: Registry) -> None:
    """Return when somebody waits for a lock of this database."""
    waiting = """
        SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE NOT l.granted AND a.datname = current_database()
    """
    while True:
        async with registry.database.connection() as connection:
            if await connection.fetchval(waiting):
                return
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("apart", [False, True])
async def test_who_waits_while_addresses_change_hands_is_heard_as_whom_they_became(
    house: House, registry: Registry, two: tuple[UUID, UUID], apart: bool
) -> None:
    """A STOP waits for the lock of somebody whose address is given away meanwhile."""
    kept, gone = two
    if apart:
        await merged(house, kept, gone)
    of, to = (kept, gone) if apart else (gone, kept)
    async with registry.database.connection(house.brand_id) as connection:
        await merges.lock(connection, house.brand_id, [kept, gone])
        stopping = asyncio.create_task(house.say("revoke", "b", scope=Scope.CHANNEL))
        await blocked(registry)
        await merges.give(
            connection, house.brand_id, of=of, to=to, only=[["telegram", "b"]] if apart else None
        )
    stopped = await stopping

    assert stopped.person_id == to
    assert {each.address for each in stopped.reaches} == ({"b"} if apart else {"a", "b"})


async def test_an_import_that_waits_meets_whom_they_became(
    house: House, registry: Registry, two: tuple[UUID, UUID]
) -> None:
    kept, gone = two
    place = people_queries.Place(
        house.brand_id,
        house.accounts["bot"],
        "b",
        "telegram",
        "IT",
        "Aurora",
        ("it",),
        BrandPolicy(),
    )

    async def locked() -> dict[str, UUID]:
        async with registry.database.connection(house.brand_id) as connection:
            return await imports.lock_people(
                connection, place, met={"b": new_id()}, suppressor=Suppressor(["C" * 43])
            )

    async with registry.database.connection(house.brand_id) as connection:
        await merges.lock(connection, house.brand_id, [kept, gone])
        importing = asyncio.create_task(locked())
        await blocked(registry)
        await merges.give(connection, house.brand_id, of=gone, to=kept)

    assert await importing == {"b": kept}


async def test_an_end_waits_for_whoever_has_the_address_now(
    house: House, registry: Registry, two: tuple[UUID, UUID]
) -> None:
    said = await house.say("grant", "b", expires_at=now().replace(year=2999))
    await merged(house, *two)
    async with registry.database.connection(house.brand_id) as connection:
        await merges.lock(connection, house.brand_id, [two[0]])

        async def locked() -> None:
            async with registry.database.connection(house.brand_id) as other:
                ids = [said.id]
                await expiry.lock_people(other, brand_id=house.brand_id, event_ids=ids)

        ending, waiting = asyncio.create_task(locked()), asyncio.create_task(blocked(registry))
        await asyncio.wait([ending, waiting], return_when=asyncio.FIRST_COMPLETED)
        assert (waiting.done(), ending.done()) == (True, False)
    await ending


async def test_a_moved_address_is_known_and_may_not_be_written_to(
    house: House, two: tuple[UUID, UUID]
) -> None:
    await house.say("revoke", "a", purpose="marketing.news")
    event = new_id()
    first, again = [await moved(house, "a", "a2", id=event) for _ in range(2)]

    assert (first.person_id, first.reason, first.seq) == (two[0], "moved", again.seq)
    assert (await person(house, "a2")).id == two[0]
    assert await house.answer("a2") == "no_consent"
    assert await house.answer("a2", purpose="marketing.news") == "revoked"
    assert await house.answer("a") == "blocked"
    await house.say("grant", "a2")
    assert await house.answer("a2") == "granted"
    assert await house.answer("a2", purpose="marketing.news") == "revoked"
    stopped = await house.say("revoke", "a2", scope=Scope.CHANNEL)
    assert {each.address for each in stopped.reaches} == {"a", "a2"}


async def test_a_channelwide_no_holds_at_the_new_address(
    house: House, two: tuple[UUID, UUID]
) -> None:
    said = await house.say("revoke", "a", scope=Scope.CHANNEL)
    await moved(house, "a", "a2")
    late = await house.say("grant", "a2", at=said.effective_at.replace(year=2020))

    assert late.reason == "older_than_revocation"
    assert await house.answer("a2") == "revoked"


async def test_who_has_the_new_address_already_keeps_it(
    house: House, two: tuple[UUID, UUID]
) -> None:
    done = await moved(house, "a", "b")

    assert (done.person_id, done.reason) == (two[0], "moved_to_somebody")
    assert (await person(house, "b")).id == two[1]
    assert [await house.answer(each) for each in "ab"] == ["blocked", "granted"]


async def test_a_split_gives_back_where_an_address_went_meanwhile(
    house: House, two: tuple[UUID, UUID]
) -> None:
    done = await merged(house, *two)
    await moved(house, "b", "b2")
    await taken_apart(house, two[0], done.id)

    assert (await person(house, "b2")).id == two[1]
    assert await refusal(moved(house, "x", "y", account_id=new_id())) == (404, "unknown_account")


LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
PURPOSES = ("marketing", "marketing.news", "service", "measuring")
SAYINGS = st.tuples(
    st.sampled_from(("grant", "grant", "grant", "revoke", "block", "unblock")),
    st.integers(0, 2),
    st.sampled_from(("bot", "bot2")),
    st.sampled_from(PURPOSES),
    st.sampled_from(Scope),
    st.one_of(st.none(), st.integers(0, 4)),
)
STEPS = st.one_of(
    SAYINGS,
    st.tuples(st.just("merge"), st.integers(0, 2), st.integers(0, 2)),
    st.tuples(st.just("split"), st.integers(0, 3)),
)


@settings(
    max_examples=40,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(STEPS, min_size=2, max_size=12))
async def test_merges_in_any_order_allow_nothing_that_would_not_be_allowed_without(
    house: House, steps: list[tuple[Any, ...]]
) -> None:
    """Twins live the same life, but that nobody ever says they are one."""
    if "bot2" not in house.accounts:
        await house.add("bot2", "telegram")
    number = next(NUMBERS)
    people = [f"m{number}-{each}" for each in range(3)]
    twins = [f"t{number}-{each}" for each in range(3)]
    for address in (*people, *twins):
        for account in ("bot", "bot2"):
            await house.say("seen", address, account=account)
    done: list[tuple[UUID, UUID]] = []
    for step in steps:
        match step:
            case ("merge", int(one), int(other)):
                kept, gone = [(await person(house, people[each])).id for each in (one, other)]
                if kept != gone:
                    done.append(((await merged(house, kept, gone)).id, kept))
            case ("split", int(which)):
                if which < len(done):
                    merge, kept = done[which]
                    with suppress(ServiceRefused):  # it was taken back before, or merged again
                        await taken_apart(house, kept, merge)
            case (action, int(which), account, purpose, scope, minute):
                for address in (people[which], twins[which]):
                    await house.say(
                        action,
                        address,
                        account=account,
                        purpose=purpose,
                        scope=scope,
                        at=None if minute is None else LONG_AGO + timedelta(minutes=minute),
                    )
            case _:
                raise AssertionError(step)
        await assert_no_wider(house, people, twins)


async def assert_no_wider(house: House, people: list[str], twins: list[str]) -> None:
    for account in ("bot", "bot2"):
        for purpose in PURPOSES:
            answers = await house.client.check(
                brand_id=house.brand_id,
                account_id=house.accounts[account],
                purpose=purpose,
                addresses=[*people, *twins],
            )
            for here, without in zip(answers[:3], answers[3:], strict=True):
                assert without.allowed or not here.allowed, (account, purpose, here, without)
