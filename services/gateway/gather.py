"""Do together what many ask for at the same time: one statement, one call, one commit.

While one lot is on its way the next gathers, so the busier it is the cheaper each item gets, and
nobody waits for company.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class _Asked(NamedTuple, Generic[_Item, _Result]):
    item: _Item
    done: asyncio.Future[_Result]


class Gather(Generic[_Item, _Result]):
    """`await gather(item)` returns what `do` returned for the item, in whatever lot it went."""

    def __init__(
        self,
        do: Callable[[Sequence[_Item]], Awaitable[Sequence[_Result]]],
        *,
        most: int = 64,
        alone: tuple[type[Exception], ...] = (),
    ) -> None:
        """`do` returns the results in the order of the items, at most so many of them.

        What it raises, all of its lot get to hear; but after an error of the kinds `alone`, which
        one item may have brought upon the others, each is done by itself.
        """
        self._do = do
        self._most = most
        self._alone = alone
        self._asked: deque[_Asked[_Item, _Result]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, item: _Item) -> _Result:
        """Have this item done; cancelling the wait does not take it back."""
        done: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(item, done))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await done

    async def _run(self) -> None:
        try:
            while self._asked:
                lot = list(islice(self._asked, self._most))
                for _ in lot:
                    self._asked.popleft()
                await self._together(lot)
        finally:
            self._task = None

    async def _together(self, lot: Sequence[_Asked[_Item, _Result]]) -> None:
        try:
            results = await self._do([each.item for each in lot])
        except asyncio.CancelledError:
            for each in lot:
                each.done.cancel()
            raise
        except Exception as error:  # the edge: it is those who wait that have to deal with it
            if len(lot) > 1 and isinstance(error, self._alone):
                for each in lot:
                    await self._together([each])
                return
            for each in lot:
                if not each.done.done():
                    each.done.set_exception(error)
        else:
            for each, result in zip(lot, results, strict=True):
                if not each.done.done():
                    each.done.set_result(result)
