"""A brand's own server, which takes callbacks, and fails when told to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channels.base.simulator.listening import serving


@dataclass
class Received:
    """One callback as it came in."""

    body: bytes
    headers: dict[str, str]


@dataclass
class Receiver:
    """What came, and what is answered next."""

    url: str = ""
    came: list[Received] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    always: int = 200
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event | None = None
    at_once: int = 0
    most_at_once: int = 0

    async def take(self, request: Request) -> Response:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.came.append(Received(await request.body(), dict(request.headers)))
        self.arrived.set()
        if self.hold is not None:
            await self.hold.wait()
        self.at_once -= 1
        status, headers = self.answers.pop(0) if self.answers else (self.always, {})
        return Response(status_code=status, headers=headers)

    async def until(self, true: Callable[[], bool], *, within: float = 60) -> None:
        """Wait until what came is enough."""
        async with asyncio.timeout(within):
            while not true():
                self.arrived.clear()
                if true():
                    return
                await self.arrived.wait()


@asynccontextmanager
async def a_receiver() -> AsyncIterator[Receiver]:
    """Listen on a port of its own."""
    receiver = Receiver()
    app = Starlette(routes=[Route("/hook", receiver.take, methods=["POST"])])
    async with serving(app) as listener:
        receiver.url = f"{listener.base_url}/hook"
        yield receiver
