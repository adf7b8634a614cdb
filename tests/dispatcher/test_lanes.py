"""No lane is left without somebody who works on it, whatever answer was lost on its way."""

import asyncio

import pytest

from services.dispatcher.lanes import Lanes
from services.dispatcher.membership import LEASE, SEEN_MARGIN, Membership
from services.dispatcher.queries import lanes
from shared import clock
from shared.database import DatabaseUnavailable
from shared.ids import new_id


class Recorder:
    """A runner that says for which lanes it was started, and runs until it is stopped."""

    def __init__(self) -> None:
        self.started: list[tuple[object, int]] = []
        self.leases = {}
        self.running = asyncio.Event()
        self.may_land = asyncio.Event()
        """While it is not set, what is in flight stays there."""
        self.may_land.set()

    def __call__(self, lane, lease):
        self.started.append((lane.id, lane.epoch))
        self.leases[lane.id] = lease
        return self

    async def run(self, *, stop, wake):
        self.running.set()
        await stop.wait()
        await self.may_land.wait()


@pytest.fixture
def hands(monkeypatch):
    """A clock whose hands the test moves."""
    moved = {"ticks": 1000.0}
    monkeypatch.setattr(clock, "ticks", lambda: moved["ticks"])
    return moved


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
async def held(dispatcher_database, recorder):
    made = Lanes(dispatcher_database, recorder)
    await made.member.join()
    yield made
    recorder.may_land.set()
    await made._let_go(list(made._held.values()))


async def add_lane(database):
    lane_id = new_id()
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO dispatcher.lane (id, brand_id, kind) VALUES ($1, $2, 'account')",
            lane_id,
            new_id(),
        )
    return lane_id


async def owner(database, lane_id):
    async with database.connection() as connection:
        return await connection.fetchval("SELECT owner FROM dispatcher.lane WHERE id = $1", lane_id)


async def test_a_lane_that_a_dead_member_takes_in_its_last_moment_is_freed(
    hands, dispatcher_database
):
    """The taking has begun, and is committed only after the burial: hold that gate."""
    frozen, watching = Membership(dispatcher_database), Membership(dispatcher_database)
    await frozen.join()
    await watching.join()
    lane_id = await add_lane(dispatcher_database)
    await watching.bury_the_dead()
    async with dispatcher_database.connection() as connection:
        assert await lanes.take(connection, member_id=frozen.id, limit=10)
        hands["ticks"] += LEASE + SEEN_MARGIN + 0.1
        assert await watching.bury_the_dead() == 1
    assert await owner(dispatcher_database, lane_id) == frozen.id

    await watching.bury_the_dead()
    async with dispatcher_database.connection() as connection:
        taken = await lanes.take(connection, member_id=watching.id, limit=10)

    assert [lane.id for lane in taken] == [lane_id]


async def test_a_lane_taken_in_a_life_that_is_over_is_not_worked_on(
    dispatcher_database, held, recorder, monkeypatch
):
    """Between the taking and its end this member is declared dead and begins another life."""
    await add_lane(dispatcher_database)
    take = lanes.take

    async def taken_then_buried(connection, **asked):
        taken = await take(connection, **asked)
        await held.member.join()
        return taken

    monkeypatch.setattr(lanes, "take", taken_then_buried)
    await held._balance()
    await asyncio.sleep(0)

    assert recorder.started == []


async def test_a_taken_lane_whose_answer_was_lost_is_worked_on(dispatcher_database, held, recorder):
    lane_id = await add_lane(dispatcher_database)
    async with dispatcher_database.connection() as connection:
        await lanes.take(connection, member_id=held.member.id, limit=10)
    await held._balance()
    await asyncio.sleep(0)

    assert [started for started, _ in recorder.started] == [lane_id]


async def test_a_lane_that_could_not_be_given_back_is_worked_on_again(
    dispatcher_database, held, recorder, monkeypatch
):
    lane_id = await add_lane(dispatcher_database)
    await held._balance()

    async def away(connection, *, lanes):
        raise DatabaseUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(lanes, "give", away)
        with pytest.raises(DatabaseUnavailable):
            await held._let_go([held._held[lane_id]])
    await held._balance()
    await asyncio.sleep(0)

    assert [started for started, _ in recorder.started] == [lane_id, lane_id]


async def test_a_lane_that_is_given_back_slowly_holds_up_nothing_else(
    dispatcher_database, held, recorder
):
    """What is in flight on it may take half a minute, in which others may die."""
    lanes_of_one = {await add_lane(dispatcher_database) for _ in range(2)}
    await held._balance()
    await asyncio.sleep(0)
    recorder.may_land.clear()
    other = Membership(dispatcher_database)
    await other.join()
    async with asyncio.timeout(5):
        await held._balance()
        await held._balance()
    (going,) = held._going
    stopped = [each for each in held._held.values() if each.stop.is_set()]

    assert len(stopped) == 1
    assert {await owner(dispatcher_database, each) for each in lanes_of_one} == {held.member.id}
    recorder.may_land.set()
    await going
    assert await owner(dispatcher_database, stopped[0].lane.id) is None


async def test_a_lane_whose_account_is_gone_is_let_alone(dispatcher_database, held, recorder):
    lane_id = await add_lane(dispatcher_database)
    await held._balance()
    await asyncio.sleep(0)
    task = held._held[lane_id].task
    async with dispatcher_database.connection() as connection:
        await connection.execute("DELETE FROM dispatcher.lane WHERE id = $1", lane_id)
    await held._balance()
    await task

    assert held._held == {}
    assert recorder.leases[lane_id]() == 0.0


async def test_the_end_comes_in_order_even_when_the_lanes_cannot_be_given_back(
    dispatcher_database, recorder, monkeypatch
):
    """An error here would break off the settler, and with it the last word about what left."""
    await add_lane(dispatcher_database)
    made = Lanes(dispatcher_database, recorder)
    stop, given = asyncio.Event(), []

    async def away(connection, *, lanes):
        given.append(lanes)
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(lanes, "give", away)
    running = asyncio.create_task(made.run(stop))
    async with asyncio.timeout(10):
        await recorder.running.wait()
    stop.set()
    await running

    assert given
