"""The queue's statements, one rule of the protocol after the other."""

import pytest

from shared.ids import new_id
from tests.dispatcher.queue_rows import Queue


@pytest.fixture
async def queue(dispatcher_database):
    made = Queue(dispatcher_database)
    await made.prepare()
    return made


async def test_a_claim_takes_what_is_due_once(queue):
    ids = {await queue.add(str(n)) for n in range(5)}
    first = await queue.claim(limit=3)
    second = await queue.claim()

    assert len(first) == 3
    assert {m.id for m in first + second} == ids
    assert await queue.claim() == []


async def test_a_paused_campaign_is_not_claimed(queue):
    await queue.add("1")
    async with queue.database.connection(queue.brand_id) as connection:
        await connection.execute("UPDATE dispatcher.campaign SET status = 'paused'")

    assert await queue.claim() == []


async def test_an_intent_is_only_for_what_waits_on_a_slip_in_this_hand(queue):
    mine, cancelled, lost = [await queue.add(a) for a in "abc"]
    await queue.claim()
    async with queue.database.connection(queue.brand_id) as connection:
        await connection.execute(
            "UPDATE dispatcher.message SET status = 'cancelled' WHERE id = $1", cancelled
        )
        await connection.execute(
            "UPDATE dispatcher.slip SET epoch = 2 WHERE messages = ARRAY[$1::uuid]", lost
        )
    going = await queue.intend(mine, cancelled, lost)

    assert list(going) == [mine]
    assert await queue.status(cancelled) == "cancelled"
    assert await queue.status(lost) == "queued"


async def test_a_settlement_is_taken_once(queue):
    message = await queue.add("1", parts=2)
    await queue.claim()
    attempt = (await queue.intend(message))[message]
    first = await queue.settle(message, attempt, status="queued")
    again = await queue.settle(message, attempt, status="queued")

    assert first == {message: "queued"}
    assert again == {}
    assert await queue.field(message, "part") == 1


async def test_a_throttle_costs_no_attempt(queue):
    message = await queue.add("1")
    await queue.claim()
    attempt = (await queue.intend(message))[message]
    await queue.settle(
        message, attempt, status="queued", outcome="throttled", advance=False, costs_attempt=False
    )

    assert await queue.field(message, "attempts") == 0


async def test_a_takeover_calls_unknown_only_what_was_in_flight(queue):
    claimed, flying = [await queue.add(a) for a in "ab"]
    await queue.claim()
    await queue.intend(flying)
    recovered = await queue.recover(epoch=2)

    assert [row["id"] for row in recovered] == [flying]
    assert await queue.status(claimed) == "queued"
    assert await queue.status(flying) == "unknown"
    assert [m.id for m in await queue.claim(epoch=1)] == [claimed]


async def test_a_takeover_sends_again_where_the_receiver_removes_doubles(queue):
    flying = await queue.add("1")
    await queue.claim()
    await queue.intend(flying)
    await queue.recover(epoch=2, send_again=True)

    assert await queue.status(flying) == "queued"


@pytest.mark.parametrize(
    ("late", "becomes"),
    [
        ({"status": "sent", "outcome": "sent"}, "sent"),
        ({"status": "refused", "outcome": "refused", "advance": False}, "refused"),
        ({"status": "queued", "outcome": "too_late", "advance": False}, "queued"),
        ({"status": "unknown", "outcome": "unknown", "advance": False}, "unknown"),
    ],
)
@pytest.mark.parametrize("number", [1, 5])
async def test_the_truth_is_taken_after_a_takeover(queue, late, becomes, number):
    """Of one message and of many that are alike, which have a statement of their own."""
    messages = [await queue.add(str(n)) for n in range(number)]
    await queue.claim()
    attempts = await queue.intend(*messages)
    await queue.recover(epoch=2)
    await queue.settle_alike(attempts, **late)

    assert [await queue.status(each) for each in messages] == [becomes] * number


async def test_a_message_that_ended_does_not_go_on_by_a_late_part(queue):
    message = await queue.add("1", parts=3)
    await queue.claim()
    attempt = (await queue.intend(message))[message]
    await queue.recover(epoch=2)
    await queue.settle(message, attempt, status="queued")
    await queue.settle(message, attempt, status="queued")

    assert await queue.status(message) == "partial"
    assert await queue.field(message, "part") == 1


async def test_among_those_that_are_alike_each_is_settled_by_its_own_attempt(queue):
    """One was tried again meanwhile: its earlier attempt is written down, and that is all."""
    messages = [await queue.add(str(n)) for n in range(5)]
    await queue.claim()
    attempts = await queue.intend(*messages)
    other = messages[2]
    now = await queue.settle_alike({**attempts, other: new_id()}, platform_ids=("7", "8"))
    again = await queue.settle_alike(attempts | {other: new_id()}, platform_ids=("7", "8"))
    async with queue.database.connection(queue.brand_id) as connection:
        tried = await connection.fetch("SELECT * FROM dispatcher.attempt ORDER BY message_id")
        told = await connection.fetchval("SELECT messages FROM dispatcher.event")

    settled = {each for each in messages if each != other}
    assert now == dict.fromkeys(settled, "sent")
    assert again == {}
    assert await queue.status(other) == "sending"
    assert set(told) == settled
    assert {r["message_id"]: r["id"] for r in tried if r["message_id"] != other} == {
        each: attempts[each] for each in settled
    }
    assert {tuple(r["platform_ids"]) for r in tried} == {("7", "8")}
    assert len({r["started_at"] for r in tried}) == len(tried) == 6


async def test_the_word_about_another_attempt_changes_nothing(queue):
    message = await queue.add("1")
    await queue.claim()
    await queue.intend(message)

    assert await queue.settle(message, new_id()) == {}
    assert await queue.status(message) == "sending"
