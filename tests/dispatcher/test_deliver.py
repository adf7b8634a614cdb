"""A runner that ends leaves nothing behind that nobody will come for."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from services.dispatcher import deliver
from services.dispatcher.deliver import DeliveryRunner
from services.dispatcher.queries.lanes import Lane
from services.dispatcher.queries.slips import LONGEST_FLIGHT
from services.dispatcher.running import house_of
from shared import clock
from shared.contracts.messages import Content, MessageIn
from shared.ids import new_id
from tests.dispatcher.desk_rig import Rig


@pytest.fixture(autouse=True)
def soon_quiet(monkeypatch):
    monkeypatch.setattr(deliver, "GONE_QUIET", 0.0)
    monkeypatch.setattr(deliver, "IDLE", 0.01)


async def queue(rig: Rig) -> UUID:
    """A message that is due in an hour; whatever woke the lane for it was forgotten."""
    await rig.grant("1")
    message_id = new_id()
    wanted = MessageIn(
        account_id=rig.account_id, address="1", purpose="marketing", content=Content(text="Ciao")
    )
    await rig.dispatcher.put_message(rig.brand_id, message_id, wanted)
    for table in ("message", "slip"):
        await rig.sql(f"UPDATE dispatcher.{table} SET due_at = now() + interval '1 hour'")
    await rig.sql("UPDATE dispatcher.lane SET wake_at = 'infinity', epoch = 7")
    return message_id


async def run(rig: Rig) -> None:
    """Let a runner look, find nothing to do, and end."""
    house = house_of(rig.desk, in_flight=8, calls=8, paced=True)
    lane = Lane(rig.account_id, rig.brand_id, "account", 7)
    runner = DeliveryRunner(house, lane, lambda: clock.ticks() + 60)
    await runner.run(stop=asyncio.Event(), wake=asyncio.Event())


async def waking(rig: Rig):
    [row] = await rig.sql(
        "SELECT wake_at, paused_until FROM dispatcher.lane WHERE id = $1", rig.account_id
    )
    return row


async def test_the_lane_is_woken_when_the_next_message_is_due(rig):
    await queue(rig)
    await run(rig)
    [row] = await rig.sql("SELECT due_at FROM dispatcher.slip")

    assert (await waking(rig))["wake_at"] == row["due_at"]


async def test_a_paused_lane_is_woken_when_its_pause_is_over(rig):
    await queue(rig)
    await rig.sql("UPDATE dispatcher.slip SET due_at = now()")
    await rig.sql("UPDATE dispatcher.lane SET paused_until = now() + interval '2 hours'")
    await run(rig)
    row = await waking(rig)

    assert row["wake_at"] == row["paused_until"]


async def test_a_lane_with_nothing_to_do_sleeps_for_ever(rig):
    await rig.sql("UPDATE dispatcher.lane SET wake_at = 'infinity', epoch = 7")
    await run(rig)
    [row] = await rig.sql("SELECT wake_at = 'infinity' AS asleep FROM dispatcher.lane")

    assert row["asleep"]


async def test_what_nobody_will_settle_any_more_is_called_unknown_under_the_same_epoch(rig):
    lost, flying = await queue(rig), await queue(rig)
    await rig.sql("UPDATE dispatcher.message SET status = 'sending', attempt_id = id")
    await rig.sql("UPDATE dispatcher.slip SET epoch = 7, due_at = now()")
    age = timedelta(seconds=LONGEST_FLIGHT + 1)
    await rig.sql(
        "UPDATE dispatcher.message SET updated_at = now() - $2::interval WHERE id = $1",
        lost,
        age,
    )
    await run(rig)
    rows = await rig.sql("SELECT id, status FROM dispatcher.message")
    [slip] = await rig.sql("SELECT messages, due_at FROM dispatcher.slip WHERE epoch = 0")

    assert {row["id"]: row["status"] for row in rows} == {lost: "unknown", flying: "sending"}
    assert slip["messages"] == [flying]
    assert (await waking(rig))["wake_at"] == slip["due_at"]
    assert slip["due_at"] > clock.now() + timedelta(seconds=LONGEST_FLIGHT / 2)
