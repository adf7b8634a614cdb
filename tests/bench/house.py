"""The services as the processes they are, on one database."""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from services.local.keys import Keys
from services.local.layout import Layout, PortTaken, check_ports, free_ports
from services.local.processes import ending_with_us
from services.local.readiness import answers_ok
from tests.bench.figures import NotReal
from tests.bench.proc import cpu_seconds

ROOT = Path(__file__).resolve().parents[2]
_READY_WITHIN = 60.0
Processes = dict[str, subprocess.Popen[bytes]]


@dataclass(frozen=True)
class House:
    """Services that run on a database of their own."""

    layout: Layout
    keys: Keys
    database_name: str
    database: str
    """Its address as the owner, whom row-level security does not bind."""
    api: httpx.AsyncClient
    """Speaks with the gateway as the operator."""
    processes: Mapping[str, subprocess.Popen[bytes]]

    def port(self, name: str) -> int:
        """Return where a service listens."""
        return self.layout.address(name)[1]

    @property
    def pids(self) -> dict[str, int]:
        """The services' processes by name."""
        return {name: process.pid for name, process in self.processes.items()}

    def cpu_seconds(self) -> dict[str, float]:
        """Return the processor time that each service has used so far."""
        return {name: cpu_seconds(pid) for name, pid in self.pids.items()}


@dataclass(frozen=True)
class Start:
    """How services are started: where, on what, and what they are told."""

    layout: Layout
    log: Path
    """Where logs go, but for the end of their names: `-<service>.log`."""
    urls: Mapping[str, str]
    """The database's address by role."""
    allowed: str
    through: Mapping[str, Sequence[str]]
    settings: Mapping[str, str]

    async def all(self, names: Sequence[str], processes: Processes) -> None:
        """Start these services into `processes`, and wait until each is ready."""
        places: dict[str, tuple[str, int]] = {}
        for name in names:
            service, _, number = name.partition("_")
            place = self.layout.address(service)
            told = {"LOG_LEVEL": "warning"}
            if self.allowed:
                told["ALLOWED_ADDRESSES"] = self.allowed
            if number:
                port, metrics = free_ports(2)
                place = (place[0], port)
                told |= {"PORT": str(port), "METRICS_PORT": str(metrics)}
            places[name] = place
            processes[name] = self._one(name, service, told)
        for name in names:
            await _until_ready(name, places[name], processes[name])

    def _one(self, name: str, service: str, told: Mapping[str, str]) -> subprocess.Popen[bytes]:
        command = self.layout.command(service)
        if way := self.through.get(name):
            command = [command[0], *way, service]
        environment = self.layout.environment(service, self.urls)
        environment |= {f"{service.upper()}_{key}": value for key, value in told.items()}
        with Path(f"{self.log}-{name}.log").open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env={**environment, **self.settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=ending_with_us(signal.SIGKILL),
            )


def keep_logs(folder: Path) -> None:
    """Put the services' logs where they can be read after a benchmark that broke."""
    target = ROOT / "build" / "bench-logs"
    target.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, target)


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Stop processes, and wait until they are gone."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _until_ready(name: str, place: tuple[str, int], process: subprocess.Popen[bytes]) -> None:
    host, port = place
    try:
        async with asyncio.timeout(_READY_WITHIN):
            while not await answers_ok(host, port, "/readyz"):
                if process.poll() is not None:
                    raise NotReal(f"{name} did not start")
                await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise NotReal(f"{name} was not ready in time") from error


def free_base() -> int:
    """Return a port that is free, and so are those that the layout counts from it."""
    while True:
        base = free_ports(1)[0]
        try:
            check_ports(base)
        except (PortTaken, OverflowError):
            continue
        return base
