"""Work that goes on by itself: loops, rest, errors and shutdown, known here alone."""

import asyncio
from types import TracebackType
from typing import Protocol, Self

import structlog
from prometheus_client import Counter

log = structlog.get_logger()

_STEPS = Counter("permesso_worker_items_total", "Things that a worker has done.", ["worker"])
_ERRORS = Counter("permesso_worker_errors_total", "Steps that broke.", ["worker"])

_FIRST_BACKOFF = 0.1
_LONGEST_BACKOFF = 5.0
STOP_WITHIN = 4.0
"""Seconds that steps may take to end when the workers are stopped; then they are cancelled."""


class Worker(Protocol):
    """Something with a next step."""

    async def step(self) -> int:
        """Do what is there to do now and return how much it was; 0 when there was nothing."""
        ...


async def run(
    worker: Worker,
    *,
    rest: float = 0.2,
    stop: asyncio.Event,
    wake: asyncio.Event | None = None,
) -> None:
    """Step until told to stop; rest (a quarter of `rest` at first) when there is nothing to do.

    An error is logged and the work goes on, after 0.1 s at first and 5 s at last. A cancellation
    goes through. `wake` ends a rest early and is cleared before the next step.
    """
    name = type(worker).__name__
    idle = rest / 4
    backoff = _FIRST_BACKOFF
    while not stop.is_set():
        if wake is not None:
            wake.clear()
        try:
            done = await worker.step()
        except Exception:  # the edge of a step: whatever broke, the next one may not
            _ERRORS.labels(name).inc()
            log.exception("worker.broken", worker=name, again_in=backoff)
            await _wait(backoff, stop)
            backoff = min(backoff * 2, _LONGEST_BACKOFF)
            continue
        backoff = _FIRST_BACKOFF
        if done:
            _STEPS.labels(name).inc(done)
            idle = rest / 4
            # A step that never had to wait must not starve its neighbours.
            await asyncio.sleep(0)
        else:
            await _wait(idle, stop, wake)
            idle = min(idle * 2, rest)


async def _wait(seconds: float, *events: asyncio.Event | None) -> None:
    """Wait until one of the events is set, or so long."""
    waits = [asyncio.ensure_future(event.wait()) for event in events if event is not None]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


class Workers:
    """The workers of one app: `async with Workers() as workers: workers.start(…)`."""

    def __init__(self) -> None:
        """Begin with none."""
        self.stopping = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    def start(
        self, worker: Worker, *, rest: float = 0.2, wake: asyncio.Event | None = None
    ) -> asyncio.Task[None]:
        """Let a worker run until the block ends."""
        task = self._group.create_task(
            run(worker, rest=rest, stop=self.stopping, wake=wake), name=type(worker).__name__
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self) -> None:
        """Let every step end, and cancel those that take too long."""
        self.stopping.set()
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=STOP_WITHIN)
            for task in late:
                log.warning("worker.cancelled", worker=task.get_name())
                task.cancel()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()
        # The block's own error, if there is one, goes on as it is, not as one of a group.
        await self._group.__aexit__(None, None, None)
