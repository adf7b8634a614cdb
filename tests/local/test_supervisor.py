"""The supervisor: in order, again when something dies, and nothing left behind."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from services.local import supervisor as under_test
from services.local.processes import is_alive
from services.local.runner import NoPostgres
from services.local.supervisor import Program, StartFailed, Supervisor

# Says that it is up, then waits for its signal.
OBEDIENT = """
import signal, sys, pathlib
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
pathlib.Path(sys.argv[1]).touch()
signal.pause()
"""
STUBBORN = OBEDIENT.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN").replace(
    "signal.pause()", "[signal.pause() for _ in range(99)]"
)

Make = Callable[..., Program]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(name: str, source: str = OBEDIENT, **more: object) -> Program:
        sign = tmp_path / f"{name}.up"

        async def is_ready(pid: int) -> bool:
            return sign.exists()

        return Program(
            name=name,
            command=[sys.executable, "-c", source, str(sign)],
            environment={"PATH": os.defpath},
            log=tmp_path / f"{name}.log",
            is_ready=is_ready,
            **more,  # type: ignore[arg-type]
        )

    return make


class Notes:
    """What the supervisor has told, and a way to wait for it."""

    def __init__(self) -> None:
        self.pids: list[dict[str, int]] = []
        self._more = asyncio.Event()

    def changed(self, pids: Mapping[str, int]) -> None:
        self.pids.append(dict(pids))
        self._more.set()

    async def until(self, count: int) -> None:
        while len(self.pids) < count:
            self._more.clear()
            await self._more.wait()


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
async def house(notes: Notes) -> AsyncIterator[Supervisor]:
    house = Supervisor(notes.changed)
    yield house
    await house.stop()


async def test_start_returns_when_all_are_ready(house: Supervisor, make: Make) -> None:
    await house.start(make("one"), make("two"))

    assert all(is_alive(pid) for pid in house.pids.values())
    assert set(house.pids) == {"one", "two"}


async def test_what_dies_is_started_again_and_told(
    house: Supervisor, notes: Notes, make: Make
) -> None:
    await house.start(make("one"))
    first = house.pids["one"]
    os.kill(first, signal.SIGKILL)
    await notes.until(2)

    assert notes.pids[0] == {"one": first}
    assert notes.pids[1]["one"] != first
    assert is_alive(notes.pids[1]["one"])


async def test_all_stop_in_reverse_order(house: Supervisor, make: Make, tmp_path: Path) -> None:
    order = tmp_path / "order"
    source = OBEDIENT.replace(
        "sys.exit(0)", f"(open({str(order)!r}, 'a').write(sys.argv[1][-4] + ' '), sys.exit(0))"
    )
    for name in ("a", "b", "c"):
        await house.start(make(name, source))
    pids = house.pids
    await house.stop()

    assert order.read_text().split() == ["c", "b", "a"]
    assert not any(is_alive(pid) for pid in pids.values())


async def test_what_does_not_stop_is_killed(
    house: Supervisor, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "STOP_ALL_WITHIN", 0.2)
    await house.start(make("stubborn", STUBBORN))
    pid = house.pids["stubborn"]
    await house.stop()

    assert not is_alive(pid)


async def test_a_program_that_only_dies_is_given_up(
    house: Supervisor, notes: Notes, make: Make
) -> None:
    with pytest.raises(StartFailed, match=r"broken did not start.*broken\.log"):
        await house.start(make("broken", "raise SystemExit('no')"))

    assert len(notes.pids) == under_test.TRIES
    assert all(list(each) == ["broken"] for each in notes.pids)


async def test_a_program_that_explains_itself_is_quoted(house: Supervisor, make: Make) -> None:
    with pytest.raises(StartFailed, match="the disk is full"):
        await house.start(make("broken", "raise SystemExit(1)", explain=lambda: "the disk is full"))


async def test_a_preparation_that_fails_is_quoted_too(house: Supervisor, make: Make) -> None:
    def prepare() -> None:
        raise NoPostgres("made by another version")

    with pytest.raises(StartFailed, match="made by another version"):
        await house.start(make("one", prepare=prepare))


async def test_a_preparation_that_fails_later_is_tried_again(
    house: Supervisor, notes: Notes, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "LONGEST_BACKOFF", 0.05)
    outcomes: list[Exception | None] = [None, NoPostgres("disk full"), OSError("busy"), None]

    def prepare() -> None:
        if error := outcomes.pop(0):
            raise error

    await house.start(make("one", prepare=prepare))
    os.kill(house.pids["one"], signal.SIGKILL)
    await notes.until(2)

    assert outcomes == []


async def test_stopping_does_not_wait_for_a_start(
    house: Supervisor, notes: Notes, make: Make
) -> None:
    starting = asyncio.create_task(house.start(make("never", "import signal; signal.pause()")))
    await notes.until(1)
    pid = house.pids["never"]
    await house.stop()
    await starting

    assert not is_alive(pid)


ABANDONED = """
import asyncio, os, sys
from pathlib import Path
from services.local.supervisor import Program, Supervisor

async def is_ready(pid):
    return True

async def main():
    house = Supervisor(lambda pids: print(*pids.values(), flush=True))
    await house.start(Program(
        name="child", command=[sys.executable, "-c", "import signal; signal.pause()"],
        environment={}, log=Path(os.devnull), is_ready=is_ready,
    ))
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_nothing_outlives_a_supervisor_that_is_killed() -> None:
    """Where the system can do that; elsewhere the next start does."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(ABANDONED)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.kill()
    try:
        deadline = time.monotonic() + 5
        while is_alive(child) and time.monotonic() < deadline:
            time.sleep(0.01)
        outlived = is_alive(child)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    assert not outlived
