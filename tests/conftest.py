"""What every test may ask for."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from services.local.runner import NoPostgres, find_programs, find_runner
from shared.database import Database
from tests.postgres import DatabaseServer, Urls, database_server, forget_the_dead

_FIGURE = "figure"


def pytest_configure(config: pytest.Config) -> None:
    """Do once what the processes of a run would otherwise do at the same time."""
    if not hasattr(config, "workerinput"):
        forget_the_dead()
        with suppress(NoPostgres):
            find_programs(find_runner())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what was measured, whether all went well or not."""
    reports = [each for kind in terminalreporter.stats.values() for each in kind]
    figures = [
        f"{report.nodeid.rpartition('::')[2]}: {said}"
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, said in report.user_properties
        if name == _FIGURE
    ]
    if figures:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.line(line)


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say a figure; it is shown at the end of the run, whichever process the test ran in."""

    def say(figure: str) -> None:
        request.node.user_properties.append((_FIGURE, figure))

    return say


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of recorded platform messages."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "fixtures"
    return Path(os.environ.get("PERMESSO_FIXTURES", beside))


@pytest.fixture(scope="session")
def cluster() -> Iterator[DatabaseServer]:
    """One PostgreSQL for all tests of this process, with a migrated database to copy."""
    with database_server() as server:
        yield server


@pytest.fixture
async def urls(cluster: DatabaseServer) -> AsyncIterator[Urls]:
    """The addresses of a database of this test's own: migrated and empty."""
    made = await cluster.make()
    yield made
    await cluster.drop(made)


@pytest.fixture
async def owner_database(urls: Urls) -> AsyncIterator[Database]:
    """That database as its owner, who sees everything."""
    database = Database(urls.owner, pool_size=4)
    yield database
    await database.close()


@pytest.fixture
async def gateway_database(urls: Urls) -> AsyncIterator[Database]:
    """That database as the gateway."""
    database = Database(urls.gateway, pool_size=4)
    yield database
    await database.close()


@pytest.fixture
async def inbox_database(urls: Urls) -> AsyncIterator[Database]:
    """That database as the gateway's inbox writer."""
    database = Database(urls.inbox, pool_size=4)
    yield database
    await database.close()


@pytest.fixture
async def consent_database(urls: Urls) -> AsyncIterator[Database]:
    """That database as consent."""
    database = Database(urls.consent, pool_size=4)
    yield database
    await database.close()


@pytest.fixture
async def dispatcher_database(urls: Urls) -> AsyncIterator[Database]:
    """That database as the dispatcher."""
    database = Database(urls.dispatcher, pool_size=4)
    yield database
    await database.close()
