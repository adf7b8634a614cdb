"""A platform's clock that can be turned forward, so that a day passes in a test's moment."""

import asyncio
import time


class TurnableClock:
    """Real time plus what it was turned by; it never goes back."""

    def __init__(self) -> None:
        """Begin at the real time."""
        self.turned = 0.0
        """Seconds this clock is ahead of the real one."""
        self._turning = asyncio.Event()

    def now(self) -> float:
        """Return the wall-clock time in Unix seconds."""
        return time.time() + self.turned

    def ticks(self) -> float:
        """Return seconds for measuring spans; unaffected by changes of the host's wall clock."""
        return time.monotonic() + self.turned

    def advance(self, seconds: float) -> None:
        """Turn the clock forward and wake all who sleep by it."""
        if seconds < 0:
            raise ValueError("a clock cannot be turned back")
        self.turned += seconds
        turning, self._turning = self._turning, asyncio.Event()
        turning.set()

    async def sleep(self, seconds: float) -> None:
        """Sleep by this clock: turning it shortens the wait."""
        end = self.ticks() + seconds
        while (remaining := end - self.ticks()) > 0:
            turning = self._turning
            try:
                async with asyncio.timeout(remaining):
                    await turning.wait()
            except TimeoutError:
                continue
