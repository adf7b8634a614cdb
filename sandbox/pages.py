"""The page of the phones, what it needs, and the stream that keeps it fresh."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from channels.base.simulator import ControlProblem
from channels.base.simulator.platform import Watcher
from sandbox.world import World

HERE = Path(__file__).parent
BREATH = 0.15
"""Seconds in which changes gather before the page hears of them."""
HEARTBEAT = 15.0
MOST_CHANGES = 500
"""Named at once; in a load run nobody looks at more."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; font-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_SHOWABLE = ("image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4")


class Pages:
    """The phones, for people."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True
        )

    def routes(self) -> list[Route]:
        """Return the page's paths."""
        return [
            Route("/", self.phones),
            Route("/events", self.events),
            Route("/media/{key}", self.media),
        ]

    def static(self) -> StaticFiles:
        """Return the script and the style."""
        return StaticFiles(directory=HERE / "static")

    async def phones(self, request: Request) -> Response:
        """Show the page; the script fills in the phones."""
        channels = [
            {"name": platform.name, "title": platform.title}
            for platform in self._world.platforms.values()
        ]
        page = self._templates.get_template("phones.html").render(channels=channels)
        return HTMLResponse(page, headers=_HEADERS)

    async def media(self, request: Request) -> Response:
        """Return what somebody uploaded; only pictures and films are shown, the rest is saved."""
        for platform in self._world.platforms.values():
            found = platform.media(request.path_params["key"])
            if found is not None:
                return _file(request, *found)
        raise ControlProblem(404, "no_such_file", "No platform keeps this file.")

    async def events(self, request: Request) -> Response:
        """Stream the names of phones that changed, for as long as somebody looks."""
        return StreamingResponse(
            self._changes(),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", **_HEADERS},
        )

    async def _changes(self) -> AsyncIterator[bytes]:
        watcher = Watcher()
        platforms = list(self._world.platforms.values())
        for platform in platforms:
            platform.watchers.add(watcher)
        try:
            yield b"retry: 1000\n\n"
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT):
                        await watcher.woken.wait()
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                await asyncio.sleep(BREATH)
                watcher.woken.clear()
                changed, watcher.changed = watcher.changed, set()
                yield b"data: " + orjson.dumps(sorted(changed)[:MOST_CHANGES]) + b"\n\n"
        finally:
            for platform in platforms:
                platform.watchers.discard(watcher)


def _file(request: Request, data: bytes, mime: str) -> Response:
    headers = {"cache-control": "public, max-age=31536000, immutable", **_HEADERS}
    if mime not in _SHOWABLE:
        mime, headers["content-disposition"] = "application/octet-stream", "attachment"
    headers["accept-ranges"] = "bytes"
    wanted = request.headers.get("range", "")
    if wanted.startswith("bytes=") and "," not in wanted:
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        if first.isdigit() and (not last or last.isdigit()) and int(first) < len(data):
            end = min(int(last) + 1 if last else len(data), len(data))
            headers["content-range"] = f"bytes {first}-{end - 1}/{len(data)}"
            return Response(data[int(first) : end], 206, headers, media_type=mime)
    return Response(data, media_type=mime, headers=headers)
