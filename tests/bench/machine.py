"""The machine under test: a durable PostgreSQL, and databases to run the services on."""

import asyncio
import shutil
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
from services.local.layout import Layout, free_ports
from services.local.postgres import Cluster
from services.local.runner import find_runner
from shared.migrate import migrate_all
from tests.bench.house import House, Processes, Start, end, free_base, keep_logs
from tests.bench.proc import cpu_of_children

_TEMPLATE = "bench_template"


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
        settings: Mapping[str, str] = MappingProxyType({}),
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
                port=free_base(),
                metrics_ports=dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True)),
                keys=self.keys,
            )
            processes: Processes = {}
            try:
                start = Start(
                    layout,
                    log=self.folder / name,
                    urls=self._urls(name),
                    allowed=allowed,
                    through=through,
                    settings=settings,
                )
                await start.all(names, processes)
                api = httpx.AsyncClient(
                    base_url=layout.url("gateway"),
                    timeout=60,
                    headers={"authorization": f"Bearer {self.keys.operator_key}"},
                )
                async with api:
                    yield House(layout, self.keys, name, self.cluster.url(name), api, processes)
            except BaseException:
                keep_logs(layout.folder)
                raise
            finally:
                end(list(processes.values()))

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

    def _urls(self, database: str) -> dict[str, str]:
        return {
            role: self.cluster.url(database, role=role, password=password)
            for role, password in self.keys.role_passwords.items()
        }

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
