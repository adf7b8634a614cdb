"""Slips: claimed once, in order, fenced by their owner's epoch; forgotten when nothing is left."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from channels.registry import CHANNELS
from services.dispatcher.accounts import OpenAccount
from services.dispatcher.app import PLANS
from services.dispatcher.asking import Asking
from services.dispatcher.deliver import DeliveryRunner
from services.dispatcher.hand import STUCK, Hand
from services.dispatcher.queries import looks, slips
from services.dispatcher.queries.lanes import Lane
from services.dispatcher.queries.looks import Look
from services.dispatcher.queries.slips import NO_CAMPAIGN, SIZE, START, Cursor
from services.dispatcher.sending import House
from services.dispatcher.takeover import take_over
from services.dispatcher.window import Window
from shared import clock
from shared.ids import new_id
from tests.dispatcher.queue_rows import Queue

HOUR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def queue(dispatcher_database):
    made = Queue(dispatcher_database)
    await made.prepare()
    return made


def hand_of(queue: Queue, epoch: int = 1) -> Hand:
    return Hand(queue.database, Lane(queue.account_id, queue.brand_id, "account", epoch))


async def add(queue: Queue, number: int, *, at: datetime = HOUR, again: bool = False) -> UUID:
    """Put so many messages on one slip; return it."""
    slip_id, ids = new_id(), [new_id() for _ in range(number)]
    async with queue.database.connection(queue.brand_id) as connection:
        await connection.execute(
            "INSERT INTO dispatcher.slip"
            " (brand_id, id, account_id, queue_id, due_at, day, messages, again)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            *(queue.brand_id, slip_id, queue.account_id, queue.campaign_id),
            *(at, queue.day, ids, again),
        )
        await connection.execute(
            "INSERT INTO dispatcher.message (brand_id, id, day, campaign_id, account_id, address,"
            " purpose, status, parts, due_at, slip_id) SELECT $1, x, $2, $3, $4, x::text,"
            " 'marketing', 'queued', 1, $5, $6 FROM unnest($7::uuid[]) AS x",
            *(queue.brand_id, queue.day, queue.campaign_id, queue.account_id, at, slip_id, ids),
        )
    return slip_id


async def rows(queue: Queue) -> dict[UUID, int]:
    """Each slip and its epoch."""
    async with queue.database.connection(queue.brand_id) as connection:
        return dict(await connection.fetch("SELECT id, epoch FROM dispatcher.slip"))


async def set_status(queue: Queue, slip_id: UUID, status: str, limit: int = 1_000) -> None:
    async with queue.database.connection(queue.brand_id) as connection:
        await connection.execute(
            "UPDATE dispatcher.message SET status = $1, attempt_id = id WHERE id IN ("
            " SELECT id FROM dispatcher.message WHERE slip_id = $2 ORDER BY id LIMIT $3)",
            status,
            slip_id,
            limit,
        )


async def claim(queue: Queue, limit: int, cursor: Cursor, epoch: int = 1) -> slips.Taken:
    async with queue.database.connection(queue.brand_id) as connection:
        return await slips.claim(
            connection,
            brand_id=queue.brand_id,
            account_id=queue.account_id,
            queue_id=queue.campaign_id,
            epoch=epoch,
            limit=limit,
            cursor=cursor,
        )


async def test_a_claim_takes_whole_slips_in_order_and_no_more_than_it_needs(queue):
    later = await add(queue, 3, at=HOUR + timedelta(minutes=1))
    first, second = sorted([await add(queue, 3), await add(queue, 3)])
    cursor = Cursor()
    taken = await claim(queue, 4, cursor)
    rest = await claim(queue, 4, cursor)

    assert (taken.slips, len(taken.messages)) == ([first, second], 6)
    assert (rest.slips, len(rest.messages)) == ([later], 3)


async def test_what_was_begun_goes_before_what_was_not_and_nothing_before_its_hour(queue):
    fresh = await add(queue, 2)
    again = await add(queue, 1, at=datetime.now(UTC) - timedelta(seconds=1), again=True)
    await add(queue, 1, at=datetime.now(UTC) + timedelta(hours=1), again=True)

    assert (await claim(queue, 9, Cursor())).slips == [again, fresh]


async def test_who_lost_the_lane_claims_nothing(queue):
    await add(queue, 2)

    assert (await claim(queue, 9, Cursor(), epoch=2)).slips == []


async def test_a_slip_is_forgotten_with_the_last_of_its_messages_and_not_before(queue):
    slip_id = await add(queue, 3)
    hand = hand_of(queue)
    taken = await hand.take(queue.campaign_id, 9)
    await set_status(queue, slip_id, "sent", limit=2)
    hand.landed(taken)
    await hand.finish()
    one_lives = await rows(queue)
    await set_status(queue, slip_id, "sent")
    await hand.finish()

    assert len(taken) == 3
    assert one_lives == {slip_id: 1}
    assert await rows(queue) == {}


async def test_messages_that_were_cancelled_do_not_keep_a_slip(queue):
    slip_id = await add(queue, 3)
    await set_status(queue, slip_id, "cancelled")
    hand = hand_of(queue)
    taken = await hand.take(queue.campaign_id, 9)
    await hand.finish()

    assert taken == []
    assert await rows(queue) == {}


async def test_a_hand_gives_few_keeps_the_rest_and_takes_back_what_was_not_begun(queue):
    await add(queue, SIZE)
    hand = hand_of(queue)
    first = await hand.take(queue.campaign_id, 10)
    hand.put_back(first[4:])
    again = await hand.take(queue.campaign_id, SIZE)

    assert first[4:] == again[:6]
    assert len({m.id for m in first[:4] + again}) == SIZE
    assert hand.holds(queue.campaign_id) is False


async def test_what_came_back_behind_the_cursor_is_found(queue):
    await add(queue, 2, at=HOUR + timedelta(minutes=5))
    hand = hand_of(queue)
    await hand.take(queue.campaign_id, 1)
    early = await add(queue, 2, at=HOUR)
    found = await hand.take(queue.campaign_id, 9)

    assert early in {m.slip_id for m in found}
    assert len(found) == 3


async def test_what_is_given_back_can_be_claimed_by_the_next_owner(queue):
    await add(queue, 5)
    hand = hand_of(queue)
    await hand.take(queue.campaign_id, 2)
    await hand.give_back()
    async with queue.database.connection() as connection:
        await connection.execute("UPDATE dispatcher.lane SET epoch = 2")

    assert len(await hand_of(queue, epoch=2).take(queue.campaign_id, 9)) == 5


async def test_a_pause_takes_the_slips_out_of_the_hand(queue):
    slip_id = await add(queue, 2)
    hand = hand_of(queue)
    taken = await hand.take(queue.campaign_id, 1)
    async with queue.database.connection(queue.brand_id) as connection:
        await slips.take_away(connection, brand_id=queue.brand_id, campaign_id=queue.campaign_id)
    going = await queue.intend(*(m.id for m in taken))
    hand.drop([])
    hand.landed(taken)
    await hand.finish()

    assert going == {}
    assert await rows(queue) == {slip_id: 0}
    assert hand.is_stuck() is False


async def test_a_claim_looks_up_what_it_takes_however_small_the_table_was(queue, urls):
    """Plans are made once, of a table that has nothing in it yet; then a million slips come."""
    connection = await asyncpg.connect(urls.dispatcher, server_settings=PLANS)
    kinds = "uuid, uuid, uuid, bigint, bigint, timestamptz, uuid, timestamptz, uuid, bigint, uuid"
    front = f"'{START.due_at}', '{START.id}'"
    given = f"'{queue.brand_id}', '{queue.account_id}', '{queue.campaign_id}', 300, 1, {front}, "
    try:
        await connection.execute(f"SET app.brand = '{queue.brand_id}'")
        await connection.execute(f"PREPARE claim ({kinds}) AS {slips._CLAIM}")
        rows = await connection.fetch(
            f"EXPLAIN EXECUTE claim ({given} {front}, 64, '{NO_CAMPAIGN}')"
        )
    finally:
        await connection.close()
    plan = "\n".join(row[0] for row in rows)

    assert plan.count("using slip_queue on slip") == 2
    assert plan.count("using slip_pkey on slip") == 1
    assert "slip_campaign" not in plan
    assert "Seq Scan" not in plan


async def test_a_claim_that_meets_a_pause_takes_nothing(queue):
    await add(queue, 3)
    async with queue.database.connection(queue.brand_id) as pausing:
        await pausing.execute("UPDATE dispatcher.campaign SET status = 'paused'")
        claiming = asyncio.create_task(claim(queue, 9, Cursor()))
        async with asyncio.timeout(10):
            while not await pausing.fetchval(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
            ):
                await asyncio.sleep(0.01)
    taken = await claiming

    assert (taken.slips, taken.messages) == ([], [])
    assert set((await rows(queue)).values()) == {0}


async def test_what_flew_before_its_slip_was_claimed_again_does_not_end_the_slip(
    queue, monkeypatch
):
    """Else messages in hand would wait on a slip that is taken for done: for minutes."""
    await add(queue, 4)
    hand = hand_of(queue)
    flying = await hand.take(queue.campaign_id, 2)
    await queue.intend(*(m.id for m in flying))
    await take_over(queue.database, Lane(queue.account_id, queue.brand_id, "account", 1))
    hand.forget()
    [first, second] = await hand.take(queue.campaign_id, 9)
    hand.landed(flying)
    hand.landed([first])
    await hand.finish()
    now = clock.ticks()
    monkeypatch.setattr(clock, "ticks", lambda: now + STUCK + 1)
    stuck = hand.is_stuck()
    await hand.give_back()

    assert stuck is False
    assert [m.id for m in await hand.take(queue.campaign_id, 9)] == [first.id, second.id]


async def test_what_lands_while_slips_are_being_forgotten_is_not_lost_sight_of(queue):
    await add(queue, 1, at=HOUR)
    await add(queue, 1, at=HOUR + timedelta(minutes=1))
    hand = hand_of(queue)
    one, other = await hand.take(queue.campaign_id, 2)
    for message in (one, other):
        await set_status(queue, message.slip_id, "sent")
    hand.landed([one])
    finishing = asyncio.ensure_future(hand.finish())
    await asyncio.sleep(0)
    hand.landed([other])
    await finishing
    await hand.finish()

    assert await rows(queue) == {}


async def test_a_slip_is_stuck_only_when_it_could_not_be_forgotten_for_a_while(queue, monkeypatch):
    slip_id = await add(queue, 1)
    hand = hand_of(queue)
    taken = await hand.take(queue.campaign_id, 1)
    hand.landed(taken)
    before = hand.is_stuck()
    await set_status(queue, slip_id, "sending")
    await hand.finish()
    fresh, now = hand.is_stuck(), clock.ticks()
    monkeypatch.setattr(clock, "ticks", lambda: now + STUCK + 1)

    assert (before, fresh, hand.is_stuck(), hand.is_stuck()) == (False, False, True, False)


async def test_a_message_that_waits_is_not_given_back_for_later(queue):
    """A slip whose flights must be over first is looked at later; not so if something waits."""
    waits, flies = await add(queue, 2), await add(queue, 1)
    hand = hand_of(queue)
    taken = await hand.take(queue.campaign_id, 9)
    await set_status(queue, flies, "sending")
    hand.landed(taken)
    await hand.give_back()
    again = await hand.take(queue.campaign_id, 9)

    assert {m.slip_id for m in again} == {waits}
    assert len(again) == 2


async def test_what_waits_elsewhere_is_asked_about_once(queue):
    """A message that was put off is on another slip; the first one does not bring it again."""
    slip_id = await add(queue, 2)
    hand = hand_of(queue)
    lane = Lane(queue.account_id, queue.brand_id, "account", 1)
    early, late = await hand.take(queue.campaign_id, 9)
    at = datetime.now(UTC) + timedelta(hours=1)
    await Asking(queue.database, None, lane, hand).put_off([(late, "quiet_hours", at)])
    hand.put_back([early])
    await hand.give_back()
    [again] = await hand.take(queue.campaign_id, 9)
    async with queue.database.connection(queue.brand_id) as connection:
        due = await looks.next_due(connection, brand_id=queue.brand_id, account_id=queue.account_id)

    assert (again.id, again.slip_id) == (early.id, slip_id)
    assert due == at
    assert await queue.field(late.id, "reason") == "quiet_hours"


async def test_a_takeover_calls_unknown_what_flew_and_lets_the_rest_wait(queue):
    slip_id = await add(queue, 3)
    await hand_of(queue).take(queue.campaign_id, 9)
    await set_status(queue, slip_id, "sending", limit=1)
    async with queue.database.connection() as connection:
        await connection.execute("UPDATE dispatcher.lane SET epoch = 2")
    async with queue.database.connection(queue.brand_id) as connection:
        look = await looks.look(
            connection, brand_id=queue.brand_id, account_id=queue.account_id, epoch=2
        )
    await take_over(queue.database, Lane(queue.account_id, queue.brand_id, "account", 2))
    waiting = await hand_of(queue, epoch=2).take(queue.campaign_id, 9)
    async with queue.database.connection(queue.brand_id) as connection:
        unknown = await connection.fetchval(
            "SELECT count(*) FROM dispatcher.message WHERE status = 'unknown'"
        )

    assert (look.ours, look.strays, look.campaigns) == (True, True, [queue.campaign_id])
    assert (len(waiting), unknown) == (2, 1)


async def test_a_campaign_lives_as_long_as_one_message_of_its_slips_does(queue):
    campaign = {"brand_id": queue.brand_id, "campaign_id": queue.campaign_id}
    slip_id = await add(queue, 2)
    await set_status(queue, slip_id, "sending")
    async with queue.database.connection(queue.brand_id) as connection:
        flying = await slips.is_live(connection, **campaign)
        await connection.execute("UPDATE dispatcher.message SET status = 'sent'")
        over = await slips.is_live(connection, **campaign)
        await slips.finish_campaign(connection, **campaign)

    assert (flying, over) == (True, False)
    assert await rows(queue) == {}


async def test_what_is_kept_for_campaigns_and_none_of_them_wants_is_for_single_messages(queue):
    """A lane so slow that a batch is one message; its campaign waits for an hour to come."""
    await add(queue, 5, at=datetime.now(UTC) + timedelta(hours=1))
    for number in range(30):
        await queue.add(str(number), campaign_id=None)
    house = House(queue.database, None, None, None, Window(8), None, None, asyncio.Semaphore(8))
    runner = DeliveryRunner(
        house, Lane(queue.account_id, queue.brand_id, "account", 1), lambda: float("inf")
    )
    account = OpenAccount(CHANNELS["telegram"], None, {"per_second": 1}, 1)
    look = Look(0.0, True, True, False, [queue.campaign_id])
    batches = [await runner._claim(account, look) for _ in range(30)]

    assert [len(batch) for batch in batches] == [1] * 30
