"""A halt cancels what waits, and returns only when nothing flies."""

import asyncio

import pytest

from services.dispatcher.halt import halt
from shared.contracts.halts import Halt, HaltTarget
from tests.dispatcher.queue_rows import Queue

STOPPED = ("marketing", "measuring")


@pytest.fixture
async def queue(dispatcher_database):
    made = Queue(dispatcher_database)
    await made.prepare()
    return made


def order(queue, address, *, seq=5, wait=5.0):
    target = HaltTarget(account_id=queue.account_id, address=address, purposes=STOPPED)
    return Halt(brand_id=queue.brand_id, seq=seq, targets=(target,), wait_seconds=wait)


async def test_what_waits_is_cancelled_and_nobody_else(queue):
    hers, topic, service, other = [
        await queue.add("1"),
        await queue.add("1", purpose="marketing.news", campaign_id=None),
        await queue.add("1", purpose="service", campaign_id=None),
        await queue.add("2"),
    ]
    halted = await halt(queue.database, order(queue, "1"))

    assert (halted.cancelled, halted.settled) == (2, True)
    assert [await queue.status(m) for m in (hers, topic, service, other)] == [
        "cancelled",
        "cancelled",
        "queued",
        "queued",
    ]


async def test_what_a_later_grant_made_is_left_alone(queue):
    later = await queue.add("1", grant_seq=9)
    halted = await halt(queue.database, order(queue, "1", seq=5))

    assert halted.cancelled == 0
    assert await queue.status(later) == "queued"


async def test_it_returns_only_when_what_flies_has_settled(queue):
    flying = await queue.add("1")
    await queue.claim()
    attempt = (await queue.intend(flying))[flying]
    halting = asyncio.create_task(halt(queue.database, order(queue, "1")))
    done, _ = await asyncio.wait([halting], timeout=0.2)

    assert not done
    await queue.settle(flying, attempt)
    assert (await halting).settled


async def test_the_next_part_of_what_flew_is_cancelled_too(queue):
    flying = await queue.add("1", parts=2)
    await queue.claim()
    attempt = (await queue.intend(flying))[flying]
    halting = asyncio.create_task(halt(queue.database, order(queue, "1")))
    await asyncio.wait([halting], timeout=0.1)
    await queue.settle(flying, attempt, status="queued")

    assert (await halting).cancelled == 1
    assert await queue.status(flying) == "partial"


async def test_it_says_so_when_it_could_not_wait_to_the_end(queue):
    flying = await queue.add("1")
    await queue.claim()
    await queue.intend(flying)

    assert not (await halt(queue.database, order(queue, "1", wait=0.1))).settled


async def test_an_intent_that_commits_meanwhile_is_waited_for(queue):
    """The halt meets a row that an open transaction has just made `sending`: hold that gate."""
    flying = await queue.add("1")
    await queue.claim()
    async with queue.database.connection(queue.brand_id) as connection:
        await connection.execute(
            "UPDATE dispatcher.message SET status = 'sending', attempt_id = id WHERE id = $1",
            flying,
        )
        halting = asyncio.create_task(halt(queue.database, order(queue, "1")))
        done, _ = await asyncio.wait([halting], timeout=0.2)
        assert not done
    done, _ = await asyncio.wait([halting], timeout=0.2)

    assert not done
    await queue.settle(flying, flying)
    assert await halting == await halting
    assert await queue.status(flying) == "sent"
