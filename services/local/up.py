"""`permesso up`: everything on one machine, from nothing to the main job done."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import TextIO

import structlog

from services.local.house import House
from services.local.keys import SERVICES, KeysBroken, load_or_make
from services.local.layout import Layout, PortTaken, check_ports, free_ports, rotate
from services.local.orphans import end_orphans
from services.local.processes import ending_with_us
from services.local.runner import NoPostgres
from services.local.supervisor import StartFailed
from shared import clock


class AlreadyRunning(Exception):
    """Another `permesso up` has this data folder."""


class FolderUnusable(Exception):
    """The data folder cannot be made or written."""


def up(folder: Path, *, port: int, demo: bool, as_json: bool) -> int:
    """Run until told to stop and return the exit code: 0, 1 (cannot start), 2 (port taken)."""
    # With --json, standard output is for one line alone.
    say = _speaker(sys.stderr if as_json else sys.stdout)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    try:
        with _locked(folder):
            end_orphans(folder / "run.json")
            check_ports(port)
            layout = Layout(
                folder=folder.resolve(),
                port=port,
                metrics_ports=dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True)),
                keys=load_or_make(folder / "keys.json"),
            )
            return asyncio.run(_Stay(layout, say).run(demo=demo, as_json=as_json))
    except PortTaken as error:
        say(str(error))
        return 2
    except (AlreadyRunning, FolderUnusable, KeysBroken, NoPostgres, StartFailed) as error:
        say(str(error))
        return 1


class _Stay:
    """From the first signal of life to the last."""

    def __init__(self, layout: Layout, say: Callable[[str], None]) -> None:
        self._layout = layout
        self._say = say
        self._house = House(layout, say)
        self._told = asyncio.Event()
        self._killed = False

    async def run(self, *, demo: bool, as_json: bool) -> int:
        """Start all, show the main job, stay until told to stop, stop all."""
        began = clock.ticks()
        self._listen()
        try:
            if await self._unless_told(self._house.start()):
                self._say(f"Ready after {clock.ticks() - began:.1f} s.")
                if as_json:
                    _speaker(sys.stdout)(json.dumps(self._house.facts()))
                if demo:
                    await self._show(quiet=as_json)
                if not as_json and not self._told.is_set():
                    self._say_addresses()
                await self._told.wait()
            self._say("Stopping …")
        finally:
            await self._house.stop()
        self._say("Stopped.")
        return 130 if self._killed else 0

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._hear)

    def _hear(self) -> None:
        if self._told.is_set():
            self._killed = True
            self._house.kill()
        self._told.set()

    async def _unless_told(self, work: Coroutine[object, object, None]) -> bool:
        """Do it, and say whether it was done before we were told to stop."""
        doing = asyncio.ensure_future(work)
        told = asyncio.ensure_future(self._told.wait())
        await asyncio.wait((doing, told), return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if doing.done():
            await doing
            return True
        doing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await doing
        return False

    async def _show(self, *, quiet: bool) -> None:
        """Do the main job before the user's eyes; with --json into a log instead."""
        log = self._layout.log("demo")
        rotate(log)
        command = [sys.executable, "-m", "sandbox.demo"]
        command += ["--run-json", str(self._layout.folder / "run.json")]
        with log.open("ab") as output:
            target = output if quiet else None
            demo = await asyncio.create_subprocess_exec(
                *command,
                *(("--quiet",) if quiet else ()),
                stdin=subprocess.DEVNULL,
                stdout=target,
                stderr=target,
                env=self._layout.environment("demo", {}),
                start_new_session=True,
                preexec_fn=ending_with_us(signal.SIGTERM),
            )
        if not await self._unless_told(_ended(demo)):
            with contextlib.suppress(ProcessLookupError):
                demo.kill()
            await demo.wait()
        elif demo.returncode != 0:
            self._say(f"The demo ended with code {demo.returncode}. Everything else runs on.")

    def _say_addresses(self) -> None:
        gateway, sandbox = self._layout.url("gateway"), self._layout.url("sandbox")
        self._say(
            f"\n  Phones   {sandbox}/\n  API      {gateway}/docs\n"
            f"  Logs     {self._layout.folder}/logs\n\n  Ctrl-C stops everything."
        )


async def _ended(process: asyncio.subprocess.Process) -> None:
    await process.wait()


def _speaker(stream: TextIO) -> Callable[[str], None]:
    def say(text: str) -> None:
        # A reader that went away is no reason to stop.
        with contextlib.suppress(BrokenPipeError):
            stream.write(text + "\n")
            stream.flush()

    return say


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the data folder, made if need be; the lock ends with the process, however it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise FolderUnusable(f"{folder} cannot be used: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(
                f"`permesso up` already runs on {folder}. "
                "Use it, stop it (Ctrl-C there), or choose another --data-dir and --port."
            ) from error
        yield
    finally:
        os.close(lock)
