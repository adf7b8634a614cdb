"""A house of real processes on free ports, any of which a test may kill, freeze and start again."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.local.keys import fresh_keys
from services.local.layout import OFFSETS, Layout, PortTaken, check_ports
from services.local.processes import ending_with_us, is_alive
from services.local.readiness import answers_ok
from tests.postgres import Urls

NAMES = ("consent", "dispatcher", "gateway", "sandbox")
MORE_DISPATCHERS = {"dispatcher_2": 3, "dispatcher_3": 4}
"""Further dispatchers that a test may start, and their ports, counted from the gateway's."""
ROOT = Path(__file__).resolve().parents[1]
LOOK = 0.02
"""Seconds between two looks at a process."""


class NotReady(Exception):
    """A process ended, or did not answer in time; the text has the end of its log."""


class Processes:
    """The three services and the sandbox, each a process of its own."""

    def __init__(self, urls: Urls, folder: Path) -> None:
        """Find ports; no service runs yet. Logs go to `folder`, each start adds to its file."""
        keys = fresh_keys()
        self.folder = folder
        self.operator_key = keys.operator_key
        self.keys = keys
        self._layout = Layout(folder, _free_port(), dict.fromkeys(OFFSETS, 0), keys)
        self._roles = {
            "permesso_gateway": urls.gateway,
            "permesso_inbox": urls.inbox,
            "permesso_consent": urls.consent,
            "permesso_dispatcher": urls.dispatcher,
        }
        self._pids: dict[str, int] = {}
        self._odd: set[str] = set()
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.failures.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=ending_with_us(signal.SIGKILL),
        )
        self._hear()

    def url(self, name: str) -> str:
        """Return where a process is reached."""
        host, port = self._address(name)
        return f"http://{host}:{port}"

    def _address(self, name: str) -> tuple[str, int]:
        if name in MORE_DISPATCHERS:
            host, port = self._layout.address("gateway")
            return host, port + MORE_DISPATCHERS[name]
        return self._layout.address(name)

    def start(
        self,
        name: str,
        *,
        failpoints: str = "",
        mutant: str = "",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Start a process; `failpoints`, the fault `mutant` and `settings` are for it alone."""
        kind = "dispatcher" if name in MORE_DISPATCHERS else name
        environment = {
            **self._layout.environment(kind, self._roles),
            f"{kind.upper()}_PORT": str(self._address(name)[1]),
            "GATEWAY_RATE_PER_SECOND": "1000000",
            "GATEWAY_RATE_BURST": "1000000",
            **(settings or {}),
        }
        order = {
            "name": name,
            "argv": self._layout.command(kind)[2:],
            "environment": environment,
            "folder": str(self.folder),
            "log": str(self.folder / f"{name}.log"),
            "failpoints": failpoints,
            "mutant": mutant or os.environ.get("PERMESSO_TEST_MUTANT", ""),
        }
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(json.dumps(order) + "\n")
        self._nursery.stdin.flush()
        self._pids[name] = self._hear()["pid"]
        # The odd ones are replaced before the next test.
        self._odd.discard(name)
        if failpoints or mutant or settings:
            self._odd.add(name)

    def _hear(self) -> dict[str, Any]:
        assert self._nursery.stdout is not None
        line = self._nursery.stdout.readline()
        if not line:
            raise NotReady("the nursery ended")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def is_running(self, name: str) -> bool:
        """Say whether a process lives (a frozen one does)."""
        pid = self._pids.get(name)
        return pid is not None and is_alive(pid)

    async def ready(self, *names: str, within: float = 60.0) -> None:
        """Wait until these answer that they can work."""
        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(self._ready(name, within))

    async def _ready(self, name: str, within: float) -> None:
        host, port = self._address(name)
        try:
            async with asyncio.timeout(within):
                while not await answers_ok(host, port, "/readyz"):
                    if not self.is_running(name):
                        raise NotReady(f"{name} ended\n{self.last_words(name)}")
                    await asyncio.sleep(LOOK)
        except TimeoutError as error:
            raise NotReady(f"{name} does not answer\n{self.last_words(name)}") from error

    def last_words(self, name: str) -> str:
        """Return the end of a process's log."""
        return (self.folder / f"{name}.log").read_bytes()[-3000:].decode(errors="replace")

    async def kill(self, name: str) -> None:
        """End a process as the power would: SIGKILL."""
        os.kill(self._pids[name], signal.SIGKILL)
        await self.ended(name)

    async def ended(self, name: str, *, within: float = 30.0) -> int:
        """Wait until a process has ended by itself; return its code (-9: SIGKILL)."""
        told = self.folder / f"{self._pids[name]}.exit"
        async with asyncio.timeout(within):
            # Another process writes it: there is nothing of ours to wait for.
            while not (told.exists() and told.read_text()):
                await asyncio.sleep(LOOK)
        return int(told.read_text())

    async def stop(self, name: str, *, within: float = 15.0) -> None:
        """End a process in good order: SIGTERM."""
        if self.is_running(name):
            os.kill(self._pids[name], signal.SIGTERM)
            await self.ended(name, within=within)

    def memory(self, name: str) -> float:
        """Return what a process has resident, in MB."""
        lines = Path(f"/proc/{self._pids[name]}/status").read_text().splitlines()
        [kilobytes] = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
        return int(kilobytes) / 1024

    def freeze(self, name: str) -> None:
        """Stop a process where it is: SIGSTOP. Its connections stay, and stay silent."""
        os.kill(self._pids[name], signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let it go on as if nothing had been."""
        os.kill(self._pids[name], signal.SIGCONT)

    async def restart(
        self,
        name: str,
        *,
        failpoints: str = "",
        mutant: str = "",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """End it in good order and start it again, so that its lanes are free at once."""
        await self.stop(name)
        self.start(name, failpoints=failpoints, mutant=mutant, settings=settings)
        await self.ready(name)

    async def as_usual(self) -> None:
        """Have all of them running, none frozen, none with failpoints, and one of each."""
        for name in MORE_DISPATCHERS:
            if self.is_running(name):
                self.thaw(name)
                await self.stop(name)
        for name in NAMES:
            if self.is_running(name):
                self.thaw(name)
                if name in self._odd:
                    await self.stop(name)
            if not self.is_running(name):
                self.start(name)
        await self.ready(*NAMES)

    def end(self) -> None:
        """Kill whatever runs, frozen or not."""
        for name, pid in self._pids.items():
            if self.is_running(name):
                os.kill(pid, signal.SIGKILL)
        with self._nursery as nursery:
            nursery.kill()


@contextmanager
def a_house_of_processes(urls: Urls, folder: Path) -> Iterator[Processes]:
    """Open a house on this database; `as_usual` starts it."""
    processes = Processes(urls, folder)
    try:
        yield processes
    finally:
        processes.end()


def _free_port() -> int:
    """Return a port that is free with its neighbours, which the others of a house take."""
    for _ in range(200):
        port = random.randrange(20_000, 32_000)
        try:
            for offset in (0, *MORE_DISPATCHERS.values()):
                check_ports(port + offset)
        except PortTaken:
            continue
        return port
    raise NotReady("no free ports")
