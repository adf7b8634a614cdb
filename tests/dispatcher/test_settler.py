"""What became of attempts is written down, whatever else cannot be."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from services.dispatcher.queries import campaigns, events, receipts, slips
from services.dispatcher.queries.lanes import Lane
from services.dispatcher.queries.slips import Claimed
from services.dispatcher.settler import Settled, Settler
from services.dispatcher.takeover import take_over
from services.dispatcher.window import Window
from shared.contracts.messages import ReceiptIn
from shared.ids import new_id
from tests.dispatcher.queue_rows import Queue, settlement_of

_BLOCKED = """
SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted
    AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database()))
"""


@pytest.fixture
async def queue(dispatcher_database):
    made = Queue(dispatcher_database)
    await made.prepare()
    return made


async def flying(queue, address, **columns):
    """A message whose intent is written; with its attempt."""
    message_id = await queue.add(address, **columns)
    await queue.claim()
    return message_id, (await queue.intend(message_id))[message_id]


def settled(queue, message_id, attempt_id, *, platform_id="1", tells=False, **changes):
    message = Claimed(
        slip_id=new_id(),
        id=message_id,
        day=queue.day,
        campaign_id=queue.campaign_id,
        person_id=None,
        address="1",
        language=None,
        purpose="marketing",
        part=0,
        parts=1,
        attempts=0,
        deadline=None,
        content=None,
    )
    changes = {"platform_ids": (platform_id,), "answered": tells, **changes}
    settlement = settlement_of(queue, message_id, attempt_id, **changes)
    return Settled(queue.brand_id, message, settlement, lambda slip_ids: None)


async def settle_all(queue, *those):
    """Let a settler write these down; return its window, which must be free again."""
    window, stop = Window(8), asyncio.Event()
    await window.take(queue.account_id, len(those), within=60)
    settler = Settler(queue.database, window)
    for each in those:
        settler.put(each)
    stop.set()
    # What broke is told at length, which takes its time.
    with capture_logs():
        async with asyncio.timeout(20):
            await settler.run(stop)
    return window


async def told(queue):
    async with queue.database.connection(queue.brand_id) as connection:
        rows = await connection.fetch(
            "SELECT type FROM dispatcher.event WHERE brand_id = $1 ORDER BY seq", queue.brand_id
        )
    return [row[0] for row in rows]


@pytest.mark.parametrize("dies", [False, True])
async def test_the_brand_is_told_of_a_receipt_that_came_before_its_settlement(
    dispatcher_database, dies
):
    """Even if who settles dies before looking for it: the next owner looks."""
    queue = Queue(dispatcher_database, channel="webhook")
    await queue.prepare()
    message_id, attempt_id = await flying(queue, "1")
    receipt = ReceiptIn(
        id=new_id(),
        account_id=queue.account_id,
        platform_id="wamid.1",
        status="delivered",
        at=datetime.now(UTC),
    )
    async with queue.database.connection(queue.brand_id) as connection:
        await receipts.store(
            connection, brand_id=queue.brand_id, account_id=queue.account_id, receipts=[receipt]
        )
    if dies:
        await queue.settle(message_id, attempt_id, platform_ids=("wamid.1",))
        await take_over(queue.database, Lane(queue.account_id, queue.brand_id, "account", 2))
    else:
        await settle_all(
            queue, settled(queue, message_id, attempt_id, platform_id="wamid.1", tells=True)
        )

    assert await queue.status(message_id) == "delivered"
    assert await told(queue) == ["message.sent", "message.delivered"]


async def test_one_that_cannot_be_stored_does_not_hold_up_the_others(queue):
    """PostgreSQL has no text with a NUL in it: whoever lets one in must not stop everything."""
    bad_id, bad_attempt = await flying(queue, "1")
    good = [await flying(queue, address) for address in "234"]
    window = await settle_all(
        queue,
        settled(queue, good[0][0], good[0][1]),
        settled(queue, bad_id, bad_attempt, code="a\0b"),
        *(settled(queue, *each) for each in good[1:]),
    )

    assert [await queue.status(each) for each, _ in good] == ["sent"] * 3
    assert await queue.status(bad_id) == "sending"
    assert window.used == 0


async def test_the_outcome_is_stored_even_where_what_follows_from_it_cannot_be(queue):
    """The lane cannot be silenced for so long; that the message waits is known all the same."""
    message_id, attempt_id = await flying(queue, "1")
    endless = {"status": "queued", "outcome": "throttled", "pause_lane": timedelta.max}
    window = await settle_all(
        queue, settled(queue, message_id, attempt_id, advance=False, **endless)
    )

    assert await queue.status(message_id) == "queued"
    assert window.used == 0


async def test_what_waits_again_is_on_a_slip_that_can_be_claimed(queue):
    message_id, attempt_id = await flying(queue, "1", parts=2)
    await settle_all(queue, settled(queue, message_id, attempt_id, status="queued"))
    [claimed] = await queue.claim()

    assert (claimed.id, claimed.part) == (message_id, 1)


async def test_what_one_settlement_tells_is_one_row_and_an_event_each(queue):
    """Each with an id and a number of its own, which stay what they are."""
    sent = [await flying(queue, address) for address in "123"]
    refused = await flying(queue, "4")
    await settle_all(
        queue,
        *(settled(queue, *each) for each in sent),
        settled(queue, *refused, status="refused", outcome="refused", code="gone", advance=False),
    )
    async with queue.database.connection(queue.brand_id) as connection:
        rows = await connection.fetchval("SELECT count(*) FROM dispatcher.event")
        shown = await events.after(connection, brand_id=queue.brand_id, seq=0, type=None, limit=9)
        latest = await events.newest(
            connection, brand_id=queue.brand_id, type="message.sent", before=None, limit=2
        )
        rest = await events.newest(
            connection,
            brand_id=queue.brand_id,
            type="message.sent",
            before=latest[-1]["seq"],
            limit=9,
        )
        found = [
            await events.find(connection, brand_id=queue.brand_id, event_id=row["id"])
            for row in shown
        ]

    assert rows == 2
    assert found == shown
    assert len({row["id"] for row in shown}) == len({row["seq"] for row in shown}) == 4
    assert [row["seq"] for row in shown] == sorted(row["seq"] for row in shown)
    told = {row["data"]["message_id"]: row["data"] for row in shown}
    assert {told[str(each)]["status"] for each, _ in sent} == {"sent"}
    assert told[str(refused[0])]["reason"] == "gone"
    assert {told[str(each)]["address"] for each, _ in sent} == set("123")
    assert [row["id"] for row in latest + rest] == [
        row["id"] for row in reversed(shown) if row["type"] == "message.sent"
    ]


async def test_a_campaign_that_finishes_at_this_moment_goes_on(queue):
    """What was called unknown surely was not taken; the finisher has looked, and not committed."""
    message_id, attempt_id = await flying(queue, "1")
    await queue.recover(epoch=2)
    late = settled(
        queue,
        message_id,
        attempt_id,
        status="queued",
        outcome="too_late",
        advance=False,
        platform_ids=(),
    )
    campaign = {"brand_id": queue.brand_id, "campaign_id": queue.campaign_id}
    async with queue.database.connection(queue.brand_id) as connection:
        await campaigns.lock(connection, **campaign)
        assert not await slips.is_live(connection, **campaign)
        settling = asyncio.create_task(settle_all(queue, late))
        async with queue.database.connection() as watching:
            async with asyncio.timeout(10):
                # What changes is a lock of the server's, not an event.
                while not await watching.fetchval(_BLOCKED):
                    await asyncio.sleep(0.01)
        await campaigns.set_status(connection, **campaign, status="finished")
    await settling
    async with queue.database.connection(queue.brand_id) as connection:
        row = await campaigns.find_plain(connection, **campaign)

    assert await queue.status(message_id) == "queued"
    assert row["status"] == "running"
