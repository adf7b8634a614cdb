"""Intents of several lanes in one commit: together, each lane hearing its own, none overtaken."""

import asyncio

import asyncpg
import pytest

from services.dispatcher.intents import Intents
from services.dispatcher.queries.intents import Intent
from shared.ids import new_id
from tests.dispatcher.queue_rows import Queue


class Counted:
    """A database that counts its transactions and can hold them at the door."""

    def __init__(self, database):
        self._database = database
        self.count = 0
        self.open = asyncio.Event()
        self.open.set()
        self.entered = asyncio.Event()

    def statement(self, brand):
        return _Held(self, self._database.statement(brand))


class _Held:
    def __init__(self, counted, connection):
        self._counted, self._connection = counted, connection

    async def __aenter__(self):
        self._counted.count += 1
        self._counted.entered.set()
        await self._counted.open.wait()
        return await self._connection.__aenter__()

    async def __aexit__(self, *error):
        return await self._connection.__aexit__(*error)


@pytest.fixture
async def queue(dispatcher_database):
    made = Queue(dispatcher_database)
    await made.prepare()
    return made


async def claimed(queue: Queue, count: int) -> list[Intent]:
    ids = [await queue.add(new_id().hex) for _ in range(count)]
    await queue.claim()
    return [Intent(queue.account_id, 1, i, new_id(), None) for i in ids]


async def test_what_several_lanes_intend_is_one_transaction_and_each_hears_its_own(queue):
    intents = await claimed(queue, 4)
    stale = [intents[3]._replace(epoch=7)]
    database = Counted(queue.database)
    writer = Intents(database)
    heard = await asyncio.gather(
        writer.commit(queue.brand_id, queue.day, intents[:2]),
        writer.commit(queue.brand_id, queue.day, intents[2:3]),
        writer.commit(queue.brand_id, queue.day, stale),
    )

    assert database.count == 1
    assert heard == [{i.message_id for i in intents[:2]}, {intents[2].message_id}, set()]
    assert await queue.status(intents[3].message_id) == "queued"


async def test_what_comes_during_a_commit_goes_with_the_next(queue):
    intents = await claimed(queue, 3)
    database = Counted(queue.database)
    database.open.clear()
    writer = Intents(database)
    first = asyncio.create_task(writer.commit(queue.brand_id, queue.day, intents[:1]))
    await database.entered.wait()
    others = [
        asyncio.create_task(writer.commit(queue.brand_id, queue.day, [each]))
        for each in intents[1:]
    ]
    await asyncio.sleep(0)
    database.open.set()
    heard = await asyncio.gather(first, *others)

    assert heard == [{each.message_id} for each in intents]
    assert database.count == 2


async def test_a_cancellation_waits_until_the_intent_is_known(queue):
    [intent] = await claimed(queue, 1)
    database = Counted(queue.database)
    database.open.clear()
    writer = Intents(database)
    lane = asyncio.create_task(writer.commit(queue.brand_id, queue.day, [intent]))
    await database.entered.wait()
    lane.cancel()
    await asyncio.sleep(0)
    still_waiting = not lane.done()
    database.open.set()
    with pytest.raises(asyncio.CancelledError):
        await lane

    assert still_waiting
    assert await queue.status(intent.message_id) == "sending"


async def test_a_failure_is_told_to_every_lane_and_the_next_one_goes_on(queue):
    intents = await claimed(queue, 2)
    writer = Intents(queue.database)
    bad = [intents[0]._replace(consent_event_id="no uuid")]
    both = await asyncio.gather(
        writer.commit(queue.brand_id, queue.day, bad),
        writer.commit(queue.brand_id, queue.day, intents[1:]),
        return_exceptions=True,
    )
    after = await writer.commit(queue.brand_id, queue.day, intents)

    assert [type(each) for each in both] == [asyncpg.DataError, asyncpg.DataError]
    assert after == {each.message_id for each in intents}
