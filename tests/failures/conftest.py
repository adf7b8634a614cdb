"""One durable PostgreSQL and one house of processes for all of these tests; a brand for each."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from services.local.postgres import Cluster
from services.local.processes import is_alive
from tests.failures.brand import Brand, a_brand
from tests.postgres import DatabaseServer, Urls, throwaway_cluster
from tests.processes import Processes, a_house_of_processes


@dataclass(frozen=True)
class Durable:
    """A PostgreSQL that keeps what it committed, however it ends."""

    cluster: Cluster
    urls: Urls

    async def kill(self) -> None:
        """End the server by SIGKILL, and what it leaves behind; start it again."""
        pid = int((self.cluster.data / "postmaster.pid").read_text().split("\n", 1)[0])
        os.kill(pid, signal.SIGKILL)
        while is_alive(pid):
            await asyncio.sleep(0.02)
        await asyncio.to_thread(self.cluster.stop)
        await asyncio.to_thread(self.cluster.start)


@pytest.fixture(scope="session")
def durable() -> Iterator[Durable]:
    with throwaway_cluster(durable=True) as cluster:
        server = DatabaseServer(cluster.url("postgres"), count())
        asyncio.run(server.prepare())
        yield Durable(cluster, asyncio.run(server.make()))


@pytest.fixture(scope="session")
def running(durable: Durable, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with a_house_of_processes(durable.urls, tmp_path_factory.mktemp("processes")) as processes:
        yield processes


@pytest.fixture
async def processes(running: Processes) -> Processes:
    """All of them running as usual, whatever the test before did to them."""
    await running.as_usual()
    return running


@pytest.fixture
async def brand(processes: Processes, durable: Durable) -> AsyncIterator[Brand]:
    """A brand of this test's own, with a bot of its own and no limits but ours."""
    async with a_brand(processes, durable.urls.owner) as opened:
        yield opened
