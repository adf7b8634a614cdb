"""One application for all of the sandbox: the platforms first, because load runs go there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from channels.base.simulator import ControlProblem, Listener
from sandbox.control import Control
from sandbox.pages import Pages
from sandbox.problems import cannot_be_done, malformed, no_such_path
from sandbox.world import World


class Sandbox:
    """The ASGI application of one world."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self._platforms: list[tuple[str, ASGIApp]] = [
            (platform.prefix, platform.app()) for platform in self.world.platforms.values()
        ]
        self._rest = _rest(self.world)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give a request to the platform it is for, or to the control side and the pages."""
        if scope["type"] == "http":
            path: str = scope["path"]
            for prefix, app in self._platforms:
                if path.startswith(prefix):
                    await app(scope, receive, send)
                    return
            await self._rest(scope, receive, send)

    @asynccontextmanager
    async def serving(self, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Listener]:
        """Serve all of it on one port for as long as the block lasts."""
        listener = Listener(self, host=host, port=port)
        await listener.open()
        self.world.listener = listener
        self.world.lag.start()
        try:
            yield listener
        finally:
            await self.world.close()
            await listener.close()


def _rest(world: World) -> Starlette:
    async def healthy(request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    pages = Pages(world)
    return Starlette(
        routes=[
            *Control(world).routes(),
            Route("/healthz", healthy),
            Route("/readyz", healthy),
            *pages.routes(),
            Mount("/static", pages.static()),
        ],
        exception_handlers={
            ControlProblem: cannot_be_done,
            ValidationError: malformed,
            HTTPException: no_such_path,
        },
    )
