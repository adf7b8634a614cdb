"""The window bounds what a crash can leave unknown, and what one lane can take from the others."""

import asyncio

from services.dispatcher.sending import Flights
from services.dispatcher.window import Window
from shared.ids import new_id

A, B, C = (new_id() for _ in range(3))


async def begun(window, lane_id, wanted=1):
    """Ask, and get as far as one gets without a slot being given back."""
    task = asyncio.create_task(window.take(lane_id, wanted, within=60))
    await asyncio.sleep(0)
    return task


async def test_it_hands_out_what_it_has_and_no_more():
    window = Window(2)

    assert await window.take(A, 3, within=60) == 2
    assert window.used == 2
    assert not (await begun(window, B)).done()


async def test_a_lane_that_hangs_leaves_room_for_the_others():
    window = Window(30)

    assert await window.take(A, 100, within=60) == 20
    assert not (await begun(window, A)).done()
    assert await window.take(B, 100, within=60) == 7
    assert await window.take(C, 100, within=60) == 2
    assert window.used == 29


async def test_slots_that_come_back_go_to_who_may_have_more():
    window = Window(30)
    await window.take(A, 100, within=60)
    greedy = await begun(window, A, 100)
    await window.take(B, 100, within=60)
    modest = await begun(window, B, 2)
    window.give({A: 2})
    await modest

    assert not greedy.done()
    window.give({B: 9})
    assert await greedy >= 1


async def test_who_came_first_goes_first():
    window = Window(1)
    await window.take(A, 1, within=60)
    first = await begun(window, B)
    second = await begun(window, C)
    window.give({A: 1})
    await first

    assert not second.done()
    window.give({B: 1})
    assert await second == 1


async def test_a_cancelled_wait_leaves_no_slot_behind():
    window = Window(1)
    await window.take(A, 1, within=60)
    waiting = await begun(window, B)
    window.give({A: 1})
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert window.used == 0
    assert await window.take(A, 1, within=60) == 1


async def test_a_cancelled_wait_is_forgotten():
    window = Window(1)
    await window.take(A, 1, within=60)
    waiting = await begun(window, B)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    window.give({A: 1})

    assert window.used == 0


async def test_who_waits_too_long_gets_none_and_leaves_the_line():
    window = Window(1)
    await window.take(A, 1, within=60)
    assert await window.take(B, 1, within=0.01) == 0

    window.give({A: 1})
    assert window.used == 0
    assert await window.take(C, 1, within=60) == 1


async def test_a_lane_is_empty_when_its_last_slot_is_back():
    window = Window(3)
    await window.emptied(A)
    await window.take(A, 2, within=60)
    empty = asyncio.create_task(window.emptied(A))
    await asyncio.sleep(0)
    window.give({A: 1})
    await asyncio.sleep(0)

    assert not empty.done()
    window.give({A: 1})
    await empty


async def test_flights_end_when_it_is_written_down_what_became_of_them():
    """Until then the lane is not given away: its next owner would call them unknown."""
    window = Window(3)
    await window.take(A, 1, within=60)
    landed = asyncio.Event()

    async def fly():
        landed.set()

    async def lane():
        async with Flights(window, A) as flights:
            flights.begin(fly())

    running = asyncio.create_task(lane())
    await landed.wait()
    for _ in range(5):
        await asyncio.sleep(0)

    assert not running.done()
    window.give({A: 1})
    await running
