"""The intake: what was acknowledged is there, whatever happens to the database."""

import asyncio
import os
import random
import signal
from types import SimpleNamespace

import asyncpg
import pytest

from services.gateway.intake import Arrival, Intake, IntakeFull, person_key
from shared import clock
from shared.database import DatabaseUnavailable
from shared.ids import new_id
from tests.postgres import DatabaseServer, throwaway_cluster

BRAND, ACCOUNT = new_id(), new_id()
WRITERS = 24
KILLS = 3


def arrival(dedupe, **changes):
    given = {
        "id": new_id(),
        "brand_id": BRAND,
        "account_id": ACCOUNT,
        "channel": "telegram",
        "dedupe": dedupe,
        "person": person_key(ACCOUNT, dedupe),
        "request": "{}",
        "body": b"{}",
        "received_at": clock.now(),
    }
    return Arrival(**{**given, **changes})


class Hasty(Intake):
    """The mutant: it answers before the commit."""

    async def store(self, arrival):
        self.enqueue(arrival).add_done_callback(lambda stored: stored.exception())


@pytest.fixture
async def intake(urls):
    made = Intake(urls.inbox)
    async with asyncio.TaskGroup() as group:
        group.create_task(made.run())
        yield made
        made.close()


async def stored(url):
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT dedupe, id FROM gateway.inbox")
        work = await connection.fetch("SELECT inbox_id FROM gateway.work ORDER BY seq")
        return {row["dedupe"]: row["id"] for row in rows}, [row["inbox_id"] for row in work]
    finally:
        await connection.close()


async def test_many_at_once_share_a_commit(intake, urls):
    arrivals = [arrival(str(number)) for number in range(1_000)]

    await asyncio.gather(*(intake.store(each) for each in arrivals))

    rows, work = await stored(urls.owner)
    assert len(rows) == 1_000
    assert work == [each.id for each in arrivals]


async def test_a_repeat_is_stored_once_and_is_work_once(intake, urls):
    again = arrival("same")
    for each in (arrival("same"), again, arrival("same", account_id=new_id())):
        await intake.store(each)
    await asyncio.gather(*(intake.store(arrival("x")) for _ in range(50)))

    rows, work = await stored(urls.owner)
    assert len(work) == 3
    assert again.id not in work
    assert set(rows) == {"same", "x"}


async def test_one_row_that_cannot_be_stored_does_not_hurt_the_others(intake, urls):
    bad = arrival("bad", request="{not json")
    good = [arrival(str(number)) for number in range(20)]

    outcomes = await asyncio.gather(
        *(intake.store(each) for each in [*good[:10], bad, *good[10:]]), return_exceptions=True
    )

    assert [type(o) for o in outcomes if o is not None] == [DatabaseUnavailable]
    assert set((await stored(urls.owner))[0]) == {str(number) for number in range(20)}


async def test_what_does_not_fit_is_refused_at_once(urls):
    intake = Intake(urls.inbox, capacity=2)
    waiting = [intake.enqueue(arrival(str(number))) for number in range(2)]

    with pytest.raises(IntakeFull):
        await intake.store(arrival("3"))

    intake.close()
    await intake.run()
    assert [future.exception() for future in waiting] == [None, None]
    assert len((await stored(urls.owner))[0]) == 2


async def test_without_a_database_nobody_is_told_yes():
    intake = Intake("postgresql://nobody:x@127.0.0.1:1/none")
    async with asyncio.TaskGroup() as group:
        group.create_task(intake.run())
        with pytest.raises(DatabaseUnavailable):
            await intake.store(arrival("1"))
        intake.close()


async def test_a_commit_that_a_standby_did_not_confirm_is_not_a_yes(intake):
    await intake.store(arrival("0"))
    message = "canceling wait for synchronous replication due to user request"
    notice = SimpleNamespace(message=message)
    intake._listen(None, notice)

    with pytest.raises(DatabaseUnavailable):
        await intake.store(arrival("1"))
    await intake.store(arrival("2"))


async def test_the_inbox_role_puts_in_and_reads_nothing(urls):
    connection = await asyncpg.connect(urls.inbox)
    try:
        for table in ("inbox", "work", "brand", "account", "api_key", "route", "idempotency"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM gateway.{table}")
        for statement in (
            "UPDATE gateway.inbox SET state = 'done'",
            "DELETE FROM gateway.inbox",
            "INSERT INTO gateway.brand (id) VALUES (gen_random_uuid())",
            "INSERT INTO gateway.inbox (brand_id) VALUES (gen_random_uuid()) RETURNING id",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Intake, Hasty])
async def test_a_killed_database_loses_nothing_that_was_acknowledged(kind):
    """P1 in small; the mutant shows that the test would notice."""
    with throwaway_cluster(durable=True) as cluster:
        server = DatabaseServer(cluster.url("postgres"), iter(range(9)))
        await server.prepare()
        urls = await server.make()
        acknowledged = await _write_while_killing(cluster, kind(urls.inbox, capacity=1_000))
        rows, work = await stored(urls.owner)

    lost = acknowledged - set(rows)
    assert len(acknowledged) > 200
    assert sorted(work, key=str) == sorted(rows.values(), key=str)
    assert lost if kind is Hasty else not lost


async def _write_while_killing(cluster, intake):
    acknowledged = set()
    stop = asyncio.Event()
    chance = random.Random(7)

    async def write(writer):
        number = 0
        while not stop.is_set():
            number += 1
            dedupe = f"{writer}/{number}"
            try:
                await intake.store(arrival(dedupe))
            except (DatabaseUnavailable, IntakeFull):
                await asyncio.sleep(0.01)
                continue
            acknowledged.add(dedupe)
            # The mutant waits for nothing; without this it would never let go of the loop.
            await asyncio.sleep(0)

    async def kill():
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0.3, 0.8))
            os.kill(cluster._process.pid, signal.SIGQUIT)
            await asyncio.to_thread(cluster._process.wait)
            await asyncio.to_thread(cluster.start)
        await asyncio.sleep(0.3)
        stop.set()

    async with asyncio.TaskGroup() as group:
        running = group.create_task(intake.run())
        writers = [group.create_task(write(number)) for number in range(WRITERS)]
        group.create_task(kill())
        await asyncio.wait(writers)
        intake.close()
        await asyncio.wait([running], timeout=30)
        running.cancel()
    return acknowledged


def test_equal_persons_share_a_queue_and_others_do_not():
    keys = {person_key(ACCOUNT, str(number)) for number in range(10_000)}

    assert len(keys) == 10_000
    assert person_key(ACCOUNT, "1") == person_key(ACCOUNT, "1") != person_key(new_id(), "1")
    assert all(0 <= key < 2**63 for key in keys)
    assert {key & 15 for key in keys} == set(range(16))
