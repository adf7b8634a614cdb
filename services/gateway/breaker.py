"""Know that a service is away without asking it each time.

While it is away calls fail at once, and one in a while is let through to see. So a thousand waiting
rows cost next to nothing, and the first one that succeeds opens the way for all.
"""

from types import TracebackType
from typing import Final, Self

from shared import clock
from shared.clients.base import ServiceUnavailable

_FIRST: Final = 0.2
_LONGEST: Final = 2.0
"""Seconds between two tries at a service that is away."""


class Breaker:
    """`async with breaker:` around each call to one service."""

    def __init__(self, service: str) -> None:
        """Suppose that the service is there."""
        self._service = service
        self._pause = 0.0
        self._until = 0.0

    @property
    def open(self) -> bool:
        """Say whether the last that was heard of the service is that it is away."""
        return self._pause > 0

    async def __aenter__(self) -> Self:
        if self.open:
            now = clock.ticks()
            if now < self._until:
                raise ServiceUnavailable(self._service, "it was away a moment ago", sent=False)
            # This one goes to see; the others wait for what it finds.
            self._until = now + _LONGEST
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, ServiceUnavailable):
            self._pause = min(max(self._pause * 2, _FIRST), _LONGEST)
            self._until = clock.ticks() + self._pause
        else:
            self._pause = 0.0
