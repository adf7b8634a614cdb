"""The programs of one machine: PostgreSQL, the three services and the sandbox, in their order."""

import json
import signal
from collections.abc import Callable, Mapping

import asyncpg

from services.local.keys import write_private
from services.local.layout import Layout, postgres_home, rotate
from services.local.postgres import OWNER, Cluster, environment
from services.local.readiness import answers_ok
from services.local.runner import find_runner
from services.local.supervisor import Program, Supervisor
from shared.migrate import migrate_all

PROGRAMS = ("consent", "dispatcher", "gateway", "sandbox")


class House:
    """Starts and stops them, and writes down what is running."""

    def __init__(self, layout: Layout, say: Callable[[str], None]) -> None:
        """Find out who PostgreSQL runs as and where its data is; `say` speaks to the operator."""
        self._layout = layout
        self._say = say
        self._ready = False
        runner = find_runner()
        home = postgres_home(layout.folder, layout.keys, runner)
        self._cluster = Cluster(home, layout.keys.owner_password, runner=runner)
        if not runner.is_us:
            say(f"PostgreSQL runs as the user {runner.name}; its data is in {home}.")
        self._supervisor = Supervisor(self._write_facts)

    async def start(self) -> None:
        """Start everything and return when it is ready; raise `StartFailed` otherwise."""
        self._say("Starting PostgreSQL …")
        await self._supervisor.start(self._postgres())
        self._say("Preparing the database …")
        await self._prepare_database()
        self._say("Starting consent, dispatcher, gateway and the sandbox …")
        await self._supervisor.start(*(self._program(name) for name in PROGRAMS))
        self._ready = True
        self._write_facts(self._supervisor.pids)

    async def stop(self) -> None:
        """Stop everything, in reverse order."""
        await self._supervisor.stop()
        self._ready = False
        self._write_facts({})

    def kill(self) -> None:
        """Stop everything at once."""
        self._supervisor.kill()

    def facts(self) -> dict[str, object]:
        """Return what one needs to know in order to use it."""
        names = ("gateway", "consent", "dispatcher", "sandbox")
        return {
            "ready": self._ready,
            **{name: self._layout.url(name) for name in names},
            "operator_key": self._layout.keys.operator_key,
            "database": self._cluster.url(),
        }

    def _write_facts(self, pids: Mapping[str, int]) -> None:
        ports = self._layout.metrics_ports
        metrics = {name: f"http://127.0.0.1:{port}/metrics" for name, port in ports.items()}
        facts = {**self.facts(), "metrics": metrics, "pids": dict(pids)}
        write_private(self._layout.folder / "run.json", json.dumps(facts, indent=1) + "\n")

    def _postgres(self) -> Program:
        async def is_ready(pid: int) -> bool:
            return self._cluster.is_ready(pid)

        return Program(
            name="postgres",
            command=self._cluster.command(),
            environment=environment(),
            log=self._cluster.log,
            is_ready=is_ready,
            explain=self._cluster.why_not,
            prepare=self._cluster.prepare,
            stop_signal=signal.SIGINT,
            # Not -9: its children would be left, and its shared memory with them.
            kill_signal=signal.SIGQUIT,
            options={**self._cluster.runner.process_options(), "cwd": "/"},
        )

    def _program(self, name: str) -> Program:
        host, port = self._layout.address(name)

        async def is_ready(pid: int) -> bool:
            return await answers_ok(host, port, "/readyz")

        rotate(self._layout.log(name))
        return Program(
            name=name,
            command=self._layout.command(name),
            environment=self._layout.environment(name, self._role_urls()),
            log=self._layout.log(name),
            is_ready=is_ready,
        )

    def _role_urls(self) -> dict[str, str]:
        passwords = self._layout.keys.role_passwords
        return {
            role: self._cluster.url(role=role, password=password)
            for role, password in passwords.items()
        }

    async def _prepare_database(self) -> None:
        connection = await asyncpg.connect(self._cluster.url("postgres"))
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", OWNER):
                await connection.execute(f"CREATE DATABASE {OWNER}")
        finally:
            await connection.close()
        await migrate_all(self._cluster.url(), self._layout.keys.role_passwords)
