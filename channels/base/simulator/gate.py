"""A gate before the moment in which a platform takes a message; a test can hold it closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """Open unless somebody holds it; then a message waits here, fully read but not taken."""

    def __init__(self) -> None:
        """Begin open."""
        self.waiting = 0
        """How many messages stand before the closed gate."""
        self._holders = 0
        self._opened = asyncio.Event()
        self._arrived = asyncio.Event()

    @property
    def closed(self) -> bool:
        """Whether a message would have to wait."""
        return self._holders > 0

    def hold(self) -> None:
        """Close the gate."""
        self._holders += 1
        if self._holders == 1:
            self._opened = asyncio.Event()
            self._arrived = asyncio.Event()

    def release(self) -> None:
        """Open the gate, once all who hold it have let go."""
        self._holders = max(0, self._holders - 1)
        if not self._holders:
            self._opened.set()

    def open_wide(self) -> None:
        """Open the gate no matter how many hold it."""
        self._holders = 0
        self._opened.set()

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[asyncio.Event]:
        """Hold every message in flight until the block ends; the event says that one has come."""
        self.hold()
        try:
            yield self._arrived
        finally:
            self.release()

    async def wait(self) -> None:
        """Stand before the closed gate until it opens."""
        self.waiting += 1
        self._arrived.set()
        try:
            await self._opened.wait()
        finally:
            self.waiting -= 1
