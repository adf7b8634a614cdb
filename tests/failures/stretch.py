"""How much slower this machine runs now than it would alone: figures of time mean little without.

A test that asks for half a second asks it of a machine whose processors are free.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_BURN = 0.02
"""Seconds of work in one sample."""
_EVERY = 0.5
_NAP = 0.05


class Stretch:
    """Wall time over processor time of samples of work; 1 where nobody else wants to run."""

    def __init__(self) -> None:
        """Begin without a sample."""
        self._wall = self._used = 0.0
        self.pause = 0.0
        """Seconds: the longest that a moment of sleep and one byte to the disk took beyond it."""

    @property
    def factor(self) -> float:
        """How many times longer than alone; 1 at least."""
        return max(1.0, self._wall / self._used) if self._used else 1.0

    def sample(self) -> None:
        """Work a little and see how long it took."""
        wall, used = time.monotonic(), time.thread_time()
        while time.thread_time() - used < _BURN:
            pass
        self._wall += time.monotonic() - wall
        self._used += time.thread_time() - used


@asynccontextmanager
async def measured() -> AsyncIterator[Stretch]:
    """Measure for as long as the block lasts."""
    stretch = Stretch()

    async def sample_now_and_then() -> None:
        while True:
            await asyncio.to_thread(stretch.sample)
            await asyncio.sleep(_EVERY)

    async def nap() -> None:
        with tempfile.TemporaryFile() as file:
            while True:
                began = time.monotonic()
                await asyncio.sleep(_NAP)
                os.pwrite(file.fileno(), b".", 0)
                await asyncio.to_thread(os.fsync, file.fileno())
                stretch.pause = max(stretch.pause, time.monotonic() - began - _NAP)

    measuring = [asyncio.create_task(work()) for work in (sample_now_and_then, nap)]
    try:
        yield stretch
    finally:
        for each in measuring:
            each.cancel()
