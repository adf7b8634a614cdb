"""A PostgreSQL for tests: one throw-away server, and a migrated database for each test."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from services.local.postgres import Cluster
from services.local.processes import is_alive
from services.local.runner import NoPostgres, find_runner
from shared.migrate import ROLES, migrate_all

PASSWORD = "for-tests-only"
_TEMPLATE = "permesso_template"
_DISK = Path("/tmp")
_MEMORY = Path("/dev/shm")
_ROOM = 2 * 2**30
"""Bytes that must be free in memory: a cluster with a database of the tests at size has 1 GiB."""
_SMALL_LOG = {"max_wal_size": "256MB"}
_PREFIX = "permesso-test-"
"""Of a cluster's folder; then comes the process that made it."""


@dataclass(frozen=True, slots=True)
class Urls:
    """The addresses of one database, as its owner and as each of the services' roles."""

    owner: str
    gateway: str
    inbox: str
    consent: str
    dispatcher: str


@dataclass
class DatabaseServer:
    """A server and the database on it that the tests' databases are copies of."""

    administration: str
    """The address of a database, not the template, as a role that may create others."""
    _numbers: Iterator[int]

    @property
    def template(self) -> str:
        """The migrated database that is copied; connect to it and no copy can be made."""
        return _named(self.administration, _TEMPLATE)

    async def make(self) -> Urls:
        """Make a migrated, empty database."""
        name = f"permesso_test_{os.getpid()}_{next(self._numbers)}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY file_copy")
        return self.urls(name)

    async def drop(self, urls: Urls) -> None:
        """Drop it, whoever is still connected."""
        name = urlsplit(urls.owner).path.lstrip("/")
        await self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def urls(self, name: str) -> Urls:
        """Return the addresses of the database of this name."""
        owner = _named(self.administration, name)
        return Urls(
            owner=owner,
            gateway=_as_role(owner, "permesso_gateway"),
            inbox=_as_role(owner, "permesso_inbox"),
            consent=_as_role(owner, "permesso_consent"),
            dispatcher=_as_role(owner, "permesso_dispatcher"),
        )

    async def prepare(self) -> None:
        """Make the template anew, with every migration there is."""
        await self._execute(f"DROP DATABASE IF EXISTS {_TEMPLATE} WITH (FORCE)")
        await self._execute(f"CREATE DATABASE {_TEMPLATE}")
        roles = [role for of_service in ROLES.values() for role in of_service]
        await migrate_all(self.template, dict.fromkeys(roles, PASSWORD))

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.administration)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def throwaway_cluster(*, durable: bool = False) -> Iterator[Cluster]:
    """Run a cluster that is deleted afterwards: a durable one on disk, else in memory if it fits.

    A database is hundreds of files, and most of a test's time went into copying them on a disk.
    """
    in_memory = not durable and _has_room(_MEMORY)
    # Not pytest's own folder: a user that root hands PostgreSQL to could not enter it.
    prefix = f"{_PREFIX}{os.getpid()}-"
    home = Path(tempfile.mkdtemp(prefix=prefix, dir=_MEMORY if in_memory else _DISK))
    home.chmod(0o755)
    settings = _SMALL_LOG if in_memory else {}
    cluster = Cluster(home / "postgres", PASSWORD, durable, find_runner(), settings)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()
        home.rmdir()


def forget_the_dead() -> None:
    """End and remove what runs that were killed have left in memory."""
    for home in _MEMORY.glob(f"{_PREFIX}*"):
        # Another run may be at it too.
        with suppress(OSError, ValueError, NoPostgres):
            maker = int(home.name.removeprefix(_PREFIX).partition("-")[0])
            if home.stat().st_uid == os.geteuid() and not is_alive(maker):
                left = Cluster(home / "postgres", PASSWORD, durable=False)
                left.prepare()
                left.remove()
                home.rmdir()


@contextmanager
def database_server() -> Iterator[DatabaseServer]:
    """Run a server with a migrated template, or use the one of PERMESSO_TEST_DATABASE_URL."""
    if url := os.environ.get("PERMESSO_TEST_DATABASE_URL"):
        yield _prepared(url)
        return
    with throwaway_cluster() as cluster:
        yield _prepared(cluster.url("postgres"))


def _has_room(folder: Path) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free >= _ROOM


def _prepared(url: str) -> DatabaseServer:
    server = DatabaseServer(url, count())
    asyncio.run(server.prepare())
    return server


def _named(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _as_role(url: str, role: str) -> str:
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(PASSWORD)}@{place}"))
