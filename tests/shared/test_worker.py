"""Workers: on and on, past every error, until told to stop."""

import asyncio
from collections.abc import Callable

import pytest
import structlog

from shared import worker as under_test
from shared.worker import Workers, run


class Scripted:
    """A worker whose steps are given; the last one says so and stops the loop."""

    def __init__(self, *steps: int | Exception, stop: asyncio.Event) -> None:
        self.steps = list(steps)
        self.stop = stop

    async def step(self) -> int:
        step = self.steps.pop(0)
        if not self.steps:
            self.stop.set()
        if isinstance(step, Exception):
            raise step
        return step


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it would have waited; nobody waits."""
    seen: list[float] = []

    async def wait(seconds: float, *events: object) -> None:
        seen.append(seconds)

    monkeypatch.setattr(under_test, "_wait", wait)
    return seen


async def test_it_rests_longer_and_longer_while_there_is_nothing(waits: list[float]) -> None:
    stop = asyncio.Event()
    await run(Scripted(0, 0, 0, 0, 5, 0, stop=stop), rest=0.8, stop=stop)

    assert waits == [0.2, 0.4, 0.8, 0.8, 0.2]


async def test_it_goes_on_after_an_error_more_and_more_slowly(waits: list[float]) -> None:
    stop = asyncio.Event()
    errors = [RuntimeError("private")] * 8
    with structlog.testing.capture_logs() as logs:
        await run(Scripted(*errors, 1, RuntimeError(), 1, stop=stop), stop=stop)

    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 0.1]
    assert [each["event"] for each in logs] == ["worker.broken"] * 9
    assert logs[0]["worker"] == "Scripted"


async def test_a_wake_ends_a_rest() -> None:
    wake, stop = asyncio.Event(), asyncio.Event()
    stepped: list[int] = []

    class Sleeper:
        async def step(self) -> int:
            stepped.append(1)
            return 0

    task = asyncio.create_task(run(Sleeper(), rest=400.0, stop=stop, wake=wake))
    await until(lambda: len(stepped) == 1)
    wake.set()
    await until(lambda: len(stepped) == 2)
    stop.set()
    async with asyncio.timeout(1):
        await task

    assert len(stepped) == 2


async def test_a_wake_during_a_step_is_not_lost() -> None:
    wake, stop = asyncio.Event(), asyncio.Event()
    begun, gate = asyncio.Event(), asyncio.Event()
    stepped: list[int] = []

    class Slow:
        async def step(self) -> int:
            stepped.append(1)
            begun.set()
            await gate.wait()
            return 0

    task = asyncio.create_task(run(Slow(), rest=400.0, stop=stop, wake=wake))
    await begun.wait()
    wake.set()
    gate.set()
    await until(lambda: len(stepped) == 2)
    stop.set()
    await task

    assert len(stepped) == 2


async def test_the_end_of_the_block_lets_a_step_end() -> None:
    begun, gate = asyncio.Event(), asyncio.Event()
    ended: list[str] = []

    class Careful:
        async def step(self) -> int:
            begun.set()
            await gate.wait()
            ended.append("well")
            return 1

    async with Workers() as workers:
        workers.start(Careful())
        await begun.wait()
        asyncio.get_running_loop().call_later(0.02, gate.set)

    assert ended == ["well"]


async def test_a_step_that_does_not_end_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "STOP_WITHIN", 0.05)
    begun = asyncio.Event()

    class Stuck:
        async def step(self) -> int:
            begun.set()
            await asyncio.Event().wait()
            return 1

    async with asyncio.timeout(1):
        async with Workers() as workers:
            task = workers.start(Stuck())
            await begun.wait()

    assert task.cancelled()


async def test_an_error_of_the_app_stops_the_workers() -> None:
    stop = asyncio.Event()
    with pytest.raises(RuntimeError, match="app"):
        async with Workers() as workers:
            task = workers.start(Scripted(*[0] * 100, stop=stop))
            raise RuntimeError("app")

    assert task.done()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not true():
            await asyncio.sleep(0)
