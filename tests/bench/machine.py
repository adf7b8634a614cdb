"""The machine under test: a durable PostgreSQL, and the services as the processes they are."""

import asyncio
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import asyncpg
import httpx

from services.local.keys import SERVICES, Keys, fresh_keys
from services.local.layout import Layout, PortTaken, check_ports, free_ports
from services.local.postgres import Cluster
from services.local.processes import ending_with_us
from services.local.readiness import answers_ok
from services.local.runner import find_runner
from shared.migrate import migrate_all
from tests.bench.figures import NotReal
from tests.bench.proc import cpu_of_children, cpu_seconds

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

    @property
    def pids(self) -> dict[str, int]:
        """The services' processes by name."""
        return {name: process.pid for name, process in self.processes.items()}

    def cpu_seconds(self) -> dict[str, float]:
        """Return the processor time that each service has used so far."""
        return {name: cpu_seconds(pid) for name, pid in self.pids.items()}


@dataclass
class Machine:
    """One PostgreSQL and a migrated database to copy."""

    cluster: Cluster
    keys: Keys
    folder: Path
    kept: dict[str, Any] = field(default_factory=dict)
    """What one benchmark leaves for another: a prepared database, a run that both read."""
    _number: int = field(default=0)

    @asynccontextmanager
    async def house(
        self,
        names: Sequence[str] = SERVICES,
        *,
        allowed: str = "",
        database: str = "",
        through: Mapping[str, Sequence[str]] = MappingProxyType({}),
        **settings: str,
    ) -> AsyncIterator[House]:
        """Run these services on a fresh database, or on one that was made and stays.

        A name may end in `_2`: a second process of that service. One that is named in `through` is
        started by that module, which is told the service's name. `settings` are environment
        variables.
        """
        async with AsyncExitStack() as stack:
            name = database or await stack.enter_async_context(self.a_database())
            layout = Layout(
                folder=self.folder,
                port=_free_base(),
                metrics_ports=dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True)),
                keys=self.keys,
            )
            processes: dict[str, subprocess.Popen[bytes]] = {}
            try:
                await self._start(layout, name, names, processes, allowed, through, settings)
                api = httpx.AsyncClient(
                    base_url=layout.url("gateway"),
                    timeout=60,
                    headers={"authorization": f"Bearer {self.keys.operator_key}"},
                )
                async with api:
                    yield House(layout, self.keys, name, self.cluster.url(name), api, processes)
            except BaseException:
                _keep_logs(layout.folder)
                raise
            finally:
                _end(list(processes.values()))

    async def _start(
        self,
        layout: Layout,
        database: str,
        names: Sequence[str],
        processes: dict[str, subprocess.Popen[bytes]],
        allowed: str,
        through: Mapping[str, Sequence[str]],
        settings: Mapping[str, str],
    ) -> None:
        urls = {
            role: self.cluster.url(database, role=role, password=password)
            for role, password in self.keys.role_passwords.items()
        }
        places: dict[str, tuple[str, int]] = {}
        for name in names:
            service, _, number = name.partition("_")
            environment = layout.environment(service, urls)
            places[name] = layout.address(service)
            told = {"LOG_LEVEL": "warning"} | ({"ALLOWED_ADDRESSES": allowed} if allowed else {})
            if number:
                port, metrics = free_ports(2)
                places[name] = (places[name][0], port)
                told |= {"PORT": str(port), "METRICS_PORT": str(metrics)}
            environment |= {f"{service.upper()}_{key}": value for key, value in told.items()}
            command = layout.command(service)
            if way := through.get(name):
                command = [command[0], *way, service]
            processes[name] = _spawn(
                command,
                {**environment, **settings},
                layout.folder / f"{database}-{name}.log",
            )
        for name in names:
            await _until_ready(name, places[name], processes[name])

    @asynccontextmanager
    async def a_database(self) -> AsyncIterator[str]:
        """Copy the migrated database; drop the copy afterwards."""
        name = await self.new_database()
        try:
            yield name
        finally:
            await self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def new_database(self) -> str:
        """Copy the migrated database; the copy stays as long as the machine."""
        self._number += 1
        name = f"bench_{self._number}"
        await self.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return name

    def postgres_cpu_seconds(self) -> float:
        """Return the processor time of PostgreSQL with all its processes."""
        process = self.cluster._process
        assert process is not None
        return cpu_of_children(process.pid)

    async def prepare(self) -> None:
        """Make the database that is copied."""
        await self.execute(f"CREATE DATABASE {_TEMPLATE}")
        await migrate_all(self.cluster.url(_TEMPLATE), self.keys.role_passwords)

    async def execute(self, statement: str) -> None:
        """Run one statement as the owner, outside of any benchmark's database."""
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


def _free_base() -> int:
    """Return a port that is free, and so are those that the layout counts from it."""
    while True:
        base = free_ports(1)[0]
        try:
            check_ports(base)
        except (PortTaken, OverflowError):
            continue
        return base
