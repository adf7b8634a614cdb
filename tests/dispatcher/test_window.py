"""The window bounds what a crash can leave unknown."""

import asyncio

from services.dispatcher.window import Window


async def test_it_hands_out_what_it_has_and_no_more():
    window = Window(5)

    assert await window.take(3) == 3
    assert await window.take(3) == 2
    assert window.used == 5


async def test_who_came_first_goes_first():
    window = Window(1)
    await window.take(1)
    first = asyncio.create_task(window.take(1))
    await asyncio.sleep(0)
    second = asyncio.create_task(window.take(1))
    await asyncio.sleep(0)
    window.give()
    await first

    assert not second.done()
    window.give()
    assert await second == 1


async def test_a_cancelled_wait_leaves_no_slot_behind():
    window = Window(1)
    await window.take(1)
    waiting = asyncio.create_task(window.take(1))
    await asyncio.sleep(0)
    window.give()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert window.used == 0
    assert await window.take(1) == 1
