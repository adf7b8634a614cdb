"""The machine under test: a durable PostgreSQL, and the services as the processes they are."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import asyncpg
import httpx

from services.local.keys import SERVICES, Keys, fresh_keys
from services.local.layout import Layout, PortTaken, check_ports, free_ports
from services.local.postgres import OWNER, Cluster
from services.local.processes import ending_with_us
from services.local.readiness import answers_ok
from services.local.runner import find_runner
from shared.migrate import migrate_all
from tests.bench.figures import NotReal

ROOT = Path(__file__).resolve().parents[2]
_TEMPLATE = "bench_template"
_READY_WITHIN = 60.0


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

    def cpu_seconds(self) -> dict[str, float]:
        """Return the processor time that each service has used so far."""
        return {name: cpu_seconds(process.pid) for name, process in self.processes.items()}


@dataclass
class Machine:
    """One PostgreSQL and a migrated database to copy."""

    cluster: Cluster
    keys: Keys
    folder: Path
    _number: int = field(default=0)

    @asynccontextmanager
    async def house(
        self, names: Sequence[str] = SERVICES, *, allowed: str = "", **settings: str
    ) -> AsyncIterator[House]:
        """Run these services on a fresh database; `settings` are environment variables."""
        self._number += 1
        database = f"bench_{self._number}"
        await self._execute(f"CREATE DATABASE {database} TEMPLATE {_TEMPLATE}")
        layout = Layout(
            folder=self.folder,
            port=_free_base(),
            metrics_ports=dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True)),
            keys=self.keys,
        )
        urls = {
            role: self.cluster.url(database, role=role, password=password)
            for role, password in self.keys.role_passwords.items()
        }
        told = {f"{name.upper()}_LOG_LEVEL": "warning" for name in names}
        told |= {f"{name.upper()}_ALLOWED_ADDRESSES": allowed for name in names if allowed}
        processes: dict[str, subprocess.Popen[bytes]] = {}
        try:
            for name in names:
                environment = {**layout.environment(name, urls), **told, **settings}
                processes[name] = _spawn(
                    layout.command(name), environment, layout.folder / f"{database}-{name}.log"
                )
            for name in names:
                await _until_ready(layout, name, processes[name])
            async with httpx.AsyncClient(
                base_url=layout.url("gateway"),
                timeout=60,
                headers={"authorization": f"Bearer {self.keys.operator_key}"},
            ) as api:
                yield House(layout, self.keys, database, self.cluster.url(database), api, processes)
        except BaseException:
            _keep_logs(layout.folder)
            raise
        finally:
            _end(list(processes.values()))
            await self._execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    async def prepare(self) -> None:
        """Make the database that is copied."""
        await self._execute(f"CREATE DATABASE {_TEMPLATE}")
        await migrate_all(self.cluster.url(_TEMPLATE), self.keys.role_passwords)

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.cluster.url("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def a_machine() -> AsyncIterator[Machine]:
    """Run a PostgreSQL with the settings of `permesso up`; nothing of it is left afterwards."""
    # A user that root hands PostgreSQL to must be able to enter it.
    home = Path(tempfile.mkdtemp(prefix="permesso-bench-", dir="/var/tmp"))
    home.chmod(0o755)  # noqa: ASYNC240  (once, before anything is measured)
    keys = fresh_keys()
    cluster = Cluster(home / "postgres", keys.owner_password, runner=find_runner())
    try:
        await asyncio.to_thread(cluster.start)
        machine = Machine(cluster, keys, home)
        await machine.prepare()
        yield machine
    finally:
        await asyncio.to_thread(cluster.remove)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def a_child(module: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], bytes]]:
    """Run a module of ours in a process of its own; yield it with its first line."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=ending_with_us(signal.SIGKILL),
    )
    try:
        yield process, first_line(process)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def first_line(process: subprocess.Popen[bytes]) -> bytes:
    """Wait for the next line that a child prints."""
    output: IO[bytes] | None = process.stdout
    line = output.readline() if output is not None else b""
    if not line:
        raise NotReal("a child process ended before its time")
    return line


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process; 0 where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Return how much memory a process holds, in MB; 0 where there is no /proc."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def cpu_of_children(pid: int) -> float:
    """Return the processor time of a process and of its living and buried children."""
    total = 0.0
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(each) for each in fields[11:15]) / os.sysconf("SC_CLK_TCK")
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            total += cpu_seconds(int(child))
    except OSError:
        return total
    return total


def _spawn(
    command: list[str], environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=ending_with_us(signal.SIGKILL),
        )


def _keep_logs(folder: Path) -> None:
    """Put the services' logs where they can be read after a benchmark that broke."""
    target = ROOT / "build" / "bench-logs"
    target.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, target)


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _until_ready(layout: Layout, name: str, process: subprocess.Popen[bytes]) -> None:
    host, port = layout.address(name)
    try:
        async with asyncio.timeout(_READY_WITHIN):
            while not await answers_ok(host, port, "/readyz"):
                if process.poll() is not None:
                    raise NotReal(f"{name} did not start")
                await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise NotReal(f"{name} was not ready in time") from error


def _free_base() -> int:
    """Return a port that is free, and so are those that the layout counts from it."""
    while True:
        base = free_ports(1)[0]
        try:
            check_ports(base)
        except (PortTaken, OverflowError):
            continue
        return base


__all__ = [
    "OWNER",
    "House",
    "Machine",
    "a_child",
    "a_machine",
    "cpu_of_children",
    "first_line",
    "resident_mb",
]
