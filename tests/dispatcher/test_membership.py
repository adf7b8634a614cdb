"""A lease is lost for its owner before anyone else may take it."""

import asyncio

import pytest

from services.dispatcher import membership
from services.dispatcher.membership import LEASE, SEEN_MARGIN, Membership
from services.dispatcher.queries import lanes
from shared import clock
from shared.ids import new_id


@pytest.fixture
def hands(monkeypatch):
    """A clock whose hands the test moves."""
    moved = {"ticks": 1000.0}
    monkeypatch.setattr(clock, "ticks", lambda: moved["ticks"])
    return moved


@pytest.fixture
async def two(dispatcher_database):
    members = Membership(dispatcher_database), Membership(dispatcher_database)
    for member in members:
        await member.join()
    return members


async def add_lane(database):
    lane_id = new_id()
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO dispatcher.lane (id, brand_id, kind) VALUES ($1, $2, 'account')",
            lane_id,
            new_id(),
        )
    return lane_id


async def take(database, member):
    async with database.connection() as connection:
        return await lanes.take(connection, member_id=member.id, limit=10)


async def test_a_silent_member_is_buried_after_its_own_lease_and_not_before(
    hands, two, dispatcher_database
):
    silent, watching = two
    lane_id = await add_lane(dispatcher_database)
    (held,) = await take(dispatcher_database, silent)
    await watching.bury_the_dead()

    hands["ticks"] += LEASE
    assert hands["ticks"] >= silent.until
    assert await watching.bury_the_dead() == 0
    assert await take(dispatcher_database, watching) == []

    hands["ticks"] += SEEN_MARGIN + 0.1
    assert await watching.bury_the_dead() == 1
    (taken,) = await take(dispatcher_database, watching)
    assert taken.id == lane_id
    assert taken.epoch > held.epoch
    assert not await silent.beat()
    assert silent.until == 0.0


async def test_a_beating_member_keeps_its_lanes(hands, two):
    beating, watching = two
    for _ in range(10):
        await watching.bury_the_dead()
        hands["ticks"] += membership.HEARTBEAT
        assert await beating.beat()

    assert await watching.bury_the_dead() == 0


async def test_the_lease_counts_from_before_the_heartbeat_was_sent(hands, two, monkeypatch):
    member, _ = two
    slow = lanes.beat

    async def five_seconds_on_the_way(connection, *, member_id):
        hands["ticks"] += 5
        return await slow(connection, member_id=member_id)

    monkeypatch.setattr(lanes, "beat", five_seconds_on_the_way)
    before = hands["ticks"]
    await member.beat()

    assert member.until == before + LEASE


async def test_a_dead_member_takes_nothing(hands, two, dispatcher_database):
    dead, watching = two
    await watching.bury_the_dead()
    hands["ticks"] += LEASE + SEEN_MARGIN + 0.1
    await watching.bury_the_dead()
    await add_lane(dispatcher_database)

    assert await take(dispatcher_database, dead) == []


async def test_who_leaves_in_good_order_is_followed_at_once(two, dispatcher_database):
    leaving, staying = two
    await add_lane(dispatcher_database)
    await take(dispatcher_database, leaving)
    await leaving.leave()

    assert len(await take(dispatcher_database, staying)) == 1


async def test_two_never_take_the_same_lane(two, dispatcher_database):
    for _ in range(6):
        await add_lane(dispatcher_database)
    taken = await asyncio.gather(*(take(dispatcher_database, member) for member in two))

    ids = [lane.id for lanes_of in taken for lane in lanes_of]
    assert len(ids) == len(set(ids)) == 6
