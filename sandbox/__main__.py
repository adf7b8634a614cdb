"""Run the sandbox: python -m sandbox [--host H] [--port P] [--no-log]."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable

import structlog

from sandbox.app import Sandbox
from sandbox.settings import Settings
from sandbox.world import World

log = structlog.get_logger()


def main() -> None:
    """Read the settings and serve until told to stop."""
    settings = Settings()
    parser = argparse.ArgumentParser(prog="sandbox", description="Simulated platforms.")
    parser.add_argument("--host", default=settings.host)
    parser.add_argument("--port", type=int, default=settings.port, help="0 takes a free one")
    parser.add_argument("--no-log", action="store_true", help="keep no log of calls")
    asked = parser.parse_args()
    keeps_log = settings.log and not asked.no_log
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        sys.exit(runner.run(serve(host=asked.host, port=asked.port, keeps_log=keeps_log)))


async def serve(*, host: str, port: int, keeps_log: bool) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    world = World() if keeps_log else World(log_capacity=0)
    try:
        async with Sandbox(world).serving(host=host, port=port) as listener:
            log.info("sandbox.ready", url=listener.base_url)
            await stop.wait()
    except OSError as error:
        log.error("sandbox.cannot_listen", host=host, port=port, reason=error.strerror)
        return 2
    log.info("sandbox.stopped")
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
