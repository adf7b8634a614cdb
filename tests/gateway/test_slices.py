"""Slices of the inbox: one owner each, a fair share for all, and nobody's for long."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from services.gateway import slices as module
from services.gateway.slices import SLICES, Slices
from shared import clock
from shared.database import Database
from tests.gateway.gateways import until


@pytest.fixture
async def database(urls):
    made = Database(urls.gateway, pool_size=4)
    yield made
    await made.close()


@pytest.fixture
def quick(monkeypatch):
    """Leases that a test can wait for."""
    monkeypatch.setattr(module, "LEASE", 0.6)
    monkeypatch.setattr(module, "RENEW_EVERY", 0.0)


@asynccontextmanager
async def stepping(*processes):
    """Let processes renew their leases until the block ends."""

    async def live(process):
        while True:
            await process.step()
            await asyncio.sleep(0.1)

    tasks = [asyncio.ensure_future(live(process)) for process in processes]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_one_process_alone_holds_all(database):
    alone = Slices(database)

    await alone.step()

    assert sorted(alone.held) == list(range(SLICES))


async def test_several_processes_hold_fair_shares_and_nothing_twice(database, quick):
    processes = [Slices(database) for _ in range(3)]
    for _ in range(4):
        for process in processes:
            await process.step()

    held = [number for process in processes for number in process.held]
    assert sorted(held) == list(range(SLICES))
    assert all(4 <= len(process.held) <= 6 for process in processes)


async def test_a_dead_process_is_followed_when_its_lease_ran_out_and_not_before(database, quick):
    dead, heir = Slices(database), Slices(database)
    # The lease counts from when it is asked for, and not from when its commit came back.
    asked_at = clock.ticks()
    await dead.step()
    await heir.step()
    assert heir.held == []

    async def inherited():
        return len(heir.held) == SLICES

    async with stepping(heir):
        await until(inherited)

    assert clock.ticks() - asked_at >= 0.6
    assert dead.held == []


async def test_a_process_that_leaves_is_followed_at_once(database):
    leaving, heir = Slices(database), Slices(database)
    await leaving.step()

    await leaving.leave()
    await heir.step()

    assert leaving.held == []
    assert sorted(heir.held) == list(range(SLICES))


async def test_a_slice_that_is_being_worked_on_is_not_given_away(database, quick):
    busy = Slices(database, busy=lambda: set(range(SLICES)))
    await busy.step()
    await Slices(database).step()
    await busy.step()

    assert len(busy.held) == SLICES


async def test_whoever_did_not_renew_in_time_holds_nothing(database, quick):
    slow = Slices(database)
    await slow.step()
    assert slow.held

    await asyncio.sleep(0.7)

    assert slow.held == []
