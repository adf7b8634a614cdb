"""What is done together, and what that does to each."""

import asyncio

import pytest

from services.gateway.gather import Gather


class Works:
    """Doubles numbers, as slowly as the test wants, and remembers the lots."""

    def __init__(self):
        self.lots = []
        self.may_go_on = asyncio.Event()
        self.error = None

    async def __call__(self, items):
        self.lots.append(list(items))
        await self.may_go_on.wait()
        if self.error is not None and (0 in items):
            raise self.error
        return [2 * item for item in items]


async def begun(gather, *items):
    """Ask for all of these at the same time."""
    tasks = [asyncio.create_task(gather(item)) for item in items]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_one_goes_at_once_and_the_others_gather_behind_it():
    works = Works()
    gather = Gather(works, most=3)
    tasks = await begun(gather, 1)
    tasks += await begun(gather, 2, 3, 4, 5)
    works.may_go_on.set()

    assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10]
    assert works.lots == [[1], [2, 3, 4], [5]]


async def test_an_error_is_everybodys_who_was_in_the_lot_and_nobody_elses():
    works = Works()
    works.error = OSError("gone")
    gather = Gather(works)
    tasks = await begun(gather, 1)
    tasks += await begun(gather, 0, 2)
    works.may_go_on.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert results == [2, works.error, works.error]
    assert await gather(3) == 6


async def test_an_error_that_one_may_have_caused_is_that_ones_alone():
    works = Works()
    works.error = ValueError("no such number")
    gather = Gather(works, alone=(ValueError,))
    tasks = await begun(gather, 1)
    tasks += await begun(gather, 2, 0, 3)
    works.may_go_on.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert results == [2, 4, works.error, 6]
    assert works.lots == [[1], [2, 0, 3], [2], [0], [3]]


async def test_who_stops_waiting_takes_nobody_along():
    works = Works()
    gather = Gather(works)
    tasks = await begun(gather, 1)
    tasks += await begun(gather, 2, 3)
    tasks[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    works.may_go_on.set()

    assert [await tasks[0], await tasks[2]] == [2, 6]
