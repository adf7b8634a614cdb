"""Keep programs running: start them in order, restart what dies, stop all in reverse order."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from services.local.processes import ending_with_us
from services.local.runner import NoPostgres
from shared import clock

log = structlog.get_logger()

FIRST_BACKOFF = 0.2
LONGEST_BACKOFF = 5.0
STEADY_AFTER = 30.0
"""Seconds of life after which a death counts as the first one again."""
PATIENCE = 60.0
"""Seconds in which a program must be ready at the first start."""
TRIES = 3
"""Deaths before it was ever ready after which a program is given up."""
STOP_EACH_WITHIN = 3.0
STOP_ALL_WITHIN = 9.0


class StartFailed(Exception):
    """A program did not become ready; the text says which, and where its log is."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program to keep running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    is_ready: Callable[[int], Awaitable[bool]]
    """Asked with the process id until it says yes."""
    explain: Callable[[], str] = lambda: ""
    """Says for people why it did not start."""
    prepare: Callable[[], None] = lambda: None
    """Run in a thread before each start."""
    stop_signal: signal.Signals = signal.SIGTERM
    kill_signal: signal.Signals = signal.SIGKILL
    options: Mapping[str, object] = field(default_factory=dict)
    """More for `subprocess`: the user to run as."""


class Supervisor:
    """Runs programs. `changed` is called with all process ids whenever one of them is new."""

    def __init__(self, changed: Callable[[Mapping[str, int]], None]) -> None:
        """Begin with nothing running."""
        self._changed = changed
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._programs: list[Program] = []
        self._stopping = asyncio.Event()
        self._keepers: set[asyncio.Task[None]] = set()

    @property
    def pids(self) -> dict[str, int]:
        """The process ids by name, in the order of starting."""
        return {name: process.pid for name, process in self._running.items()}

    async def start(self, *programs: Program) -> None:
        """Start these together and return when all are ready; raise `StartFailed` otherwise."""
        self._programs.extend(programs)
        await asyncio.gather(*(self._start(program) for program in programs))

    async def _start(self, program: Program) -> None:
        ready, gone = asyncio.Event(), asyncio.Event()
        keeper = asyncio.create_task(self._keep(program, ready, gone), name=program.name)
        self._keepers.add(keeper)
        waiting = [asyncio.create_task(event.wait()) for event in (ready, gone, self._stopping)]
        try:
            await asyncio.wait(
                [*waiting, keeper], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for each in waiting:
                each.cancel()
        if keeper.done() and (error := keeper.exception()) is not None:
            raise StartFailed(str(error)) from error
        if not ready.is_set() and not self._stopping.is_set():
            raise StartFailed(program.explain() or _last_words(program))

    async def _keep(self, program: Program, ready: asyncio.Event, gone: asyncio.Event) -> None:
        """Run one program again and again until the end."""
        backoff = FIRST_BACKOFF
        deaths = 0
        while not self._stopping.is_set():
            began = clock.ticks()
            try:
                process = await self._launch(program)
            except (OSError, NoPostgres) as error:
                if not ready.is_set():
                    raise
                log.error("process.not_started", name=program.name, reason=str(error))
                await self._pause(LONGEST_BACKOFF)
                continue
            watcher = asyncio.create_task(self._watch(program, process.pid, ready))
            code = await process.wait()
            watcher.cancel()
            if self._stopping.is_set():
                return
            lived = clock.ticks() - began
            log.warning("process.died", name=program.name, code=code, lived=round(lived, 3))
            deaths += 1
            if not ready.is_set() and deaths >= TRIES:
                gone.set()
                return
            backoff = FIRST_BACKOFF if lived > STEADY_AFTER else backoff
            await self._pause(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF)

    async def _launch(self, program: Program) -> asyncio.subprocess.Process:
        await asyncio.to_thread(program.prepare)
        with program.log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(program.environment),
                # Ctrl-C in the terminal is ours to hand on, in order.
                start_new_session=True,
                preexec_fn=ending_with_us(program.stop_signal),
                **program.options,  # type: ignore[arg-type]
            )
        if self._stopping.is_set():
            _send(process, program.kill_signal)
        self._running[program.name] = process
        self._changed(self.pids)
        log.info("process.started", name=program.name, pid=process.pid)
        return process

    async def _watch(self, program: Program, pid: int, ready: asyncio.Event) -> None:
        pause = 0.05
        while not await program.is_ready(pid):
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.5)
        ready.set()
        log.info("process.ready", name=program.name, pid=pid)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def stop(self) -> None:
        """Stop all, the last started first; what does not end in time is killed."""
        self._stopping.set()
        deadline = clock.ticks() + STOP_ALL_WITHIN
        for program in reversed(self._programs):
            process = self._running.get(program.name)
            if process is None or process.returncode is not None:
                continue
            _send(process, program.stop_signal)
            left = max(deadline - clock.ticks(), 0.5)
            # The first one started, on which all others stand, may have all the time that is left.
            last = program is self._programs[0]
            await _end(process, left if last else min(STOP_EACH_WITHIN, left))
            if process.returncode is None:
                log.warning("process.killed", name=program.name)
                _send(process, program.kill_signal)
                await _end(process, 2.0)
        if self._keepers:
            # One that was just starting its program ends it as soon as it has it.
            _, late = await asyncio.wait(self._keepers, timeout=STOP_EACH_WITHIN)
            for keeper in late:
                keeper.cancel()

    def kill(self) -> None:
        """Kill all at once."""
        self._stopping.set()
        for program in reversed(self._programs):
            if process := self._running.get(program.name):
                _send(process, program.kill_signal)


def _last_words(program: Program) -> str:
    """Say that a program did not start, with the last line it wrote."""
    try:
        lines = program.log.read_bytes()[-4096:].decode(errors="replace").split("\n")
    except OSError:
        lines = []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"{program.name} did not start. {last[:300]} (Its log: {program.log})"


def _send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


async def _end(process: asyncio.subprocess.Process, within: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            await process.wait()
