"""Transactions one can see: stored at the end, not before, and for one brand alone."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text

from shared.database import Database, DatabaseUnavailable, to_its_end
from tests.postgres import Urls

BRAND = "current_setting('app.brand', true)"


@pytest.fixture
async def table(owner_database: Database) -> str:
    async with owner_database.connection() as connection:
        await connection.execute("CREATE TABLE public.thing (id int PRIMARY KEY, value jsonb)")
    return "public.thing"


async def count(database: Database, table: str) -> int:
    async with database.connection() as connection:
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))


async def test_a_block_is_stored_at_its_end(owner_database: Database, table: str) -> None:
    async with owner_database.begin() as session:
        await session.execute(text(f"INSERT INTO {table} VALUES (1)"))
        seen_from_outside = await count(owner_database, table)

    assert seen_from_outside == 0
    assert await count(owner_database, table) == 1


async def test_an_error_takes_everything_back(owner_database: Database, table: str) -> None:
    with pytest.raises(RuntimeError):
        async with owner_database.begin() as session:
            await session.execute(text(f"INSERT INTO {table} VALUES (1)"))
            raise RuntimeError
    with pytest.raises(RuntimeError):
        async with owner_database.connection() as connection:
            await connection.execute(f"INSERT INTO {table} VALUES (1)")
            raise RuntimeError

    assert await count(owner_database, table) == 0


async def test_the_brand_is_set_for_one_transaction_alone(urls: Urls) -> None:
    # One connection, so that the next block gets the one that had the brand.
    database = Database(urls.gateway, pool_size=1)
    brand = uuid4()
    seen: list[str | None] = []
    for given in (brand, None):
        async with database.begin(given) as session:
            seen.append((await session.execute(text(f"SELECT {BRAND}"))).scalar_one())
        async with database.connection(given) as connection:
            seen.append(await connection.fetchval(f"SELECT {BRAND}"))
    await database.close()

    assert seen[:2] == [str(brand)] * 2
    assert not any(seen[2:])


async def test_json_goes_in_and_comes_out_as_values(owner_database: Database, table: str) -> None:
    value = {"name": "Žofie", "parts": [1, None, {"deep": True}]}

    async with owner_database.connection() as connection:
        await connection.execute(f"INSERT INTO {table} VALUES (1, $1)", value)
        await connection.copy_records_to_table("thing", records=[(2, value)], schema_name="public")
        rows = await connection.fetch(f"SELECT value FROM {table}")

    assert [row["value"] for row in rows] == [value, value]


HELD_COMMIT = """
CREATE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON public.thing
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.hold();
"""
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.mark.parametrize("kind", ["begin", "connection"])
async def test_a_cancellation_waits_for_the_commit(
    owner_database: Database, table: str, kind: str
) -> None:
    async def write() -> None:
        if kind == "begin":
            async with owner_database.begin() as session:
                await session.execute(text(f"INSERT INTO {table} VALUES (1)"))
        else:
            async with owner_database.connection() as connection:
                await connection.execute(f"INSERT INTO {table} VALUES (1)")

    async with owner_database.connection() as connection:
        await connection.execute(HELD_COMMIT)
    async with owner_database.connection() as gate:
        await gate.execute("SELECT pg_advisory_xact_lock(7)")
        task = asyncio.create_task(write())
        while not await gate.fetchval(WAITING):
            await asyncio.sleep(0)
        task.cancel()
        # Time enough for a cancellation to reach the server, if one was sent.
        await asyncio.sleep(0.2)
        assert not task.done()
        assert await gate.fetchval(WAITING) == 1
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await count(owner_database, table) == 1


async def test_work_that_must_not_be_interrupted_ends_before_the_cancellation() -> None:
    gate, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await gate.wait()
        done.set()

    task = asyncio.create_task(to_its_end(work()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert done.is_set()


async def test_no_server_is_said_so() -> None:
    database = Database("postgresql://nobody:x@127.0.0.1:1/none")

    with pytest.raises(DatabaseUnavailable):
        async with database.connection():
            pass
    with pytest.raises(OSError):  # noqa: PT011 - whatever the system says
        async with database.begin() as session:
            await session.execute(text("SELECT 1"))
    await database.close()


async def test_a_full_pool_is_said_so(urls: Urls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.database.WAIT_FOR_CONNECTION", 0.1)
    database = Database(urls.gateway, pool_size=1)
    async with database.connection():
        with pytest.raises(DatabaseUnavailable):
            async with database.connection():
                pass
    await database.close()


async def test_a_server_that_was_restarted_is_found_again(
    urls: Urls, owner_database: Database
) -> None:
    database = Database(urls.gateway, pool_size=1)
    for _ in range(2):
        async with database.connection() as connection, owner_database.connection() as owner:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            await owner.execute("SELECT 1")
        async with owner_database.connection() as owner:
            await owner.fetchval("SELECT pg_terminate_backend($1, 1000)", pid)
    async with database.begin() as session:
        value = (await session.execute(text("SELECT 1"))).scalar_one()
    await database.close()

    assert value == 1


async def test_sessions_are_limited_in_time(owner_database: Database) -> None:
    async with owner_database.connection() as connection:
        settings = [
            await connection.fetchval(f"SHOW {name}")
            for name in ("statement_timeout", "idle_in_transaction_session_timeout", "timezone")
        ]

    assert settings == ["15s", "30s", "UTC"]


async def test_a_failed_statement_leaves_a_clean_connection(urls: Urls) -> None:
    database = Database(urls.gateway, pool_size=1)
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with database.connection() as connection:
            await connection.execute("SELECT 1/0")
    async with database.connection() as connection:
        value = await connection.fetchval("SELECT 1")
    await database.close()

    assert value == 1


async def test_a_statement_is_of_its_brand_and_leaves_nothing_to_the_next(urls: Urls) -> None:
    # One connection, so that each block gets the one that had the brand before.
    database = Database(urls.gateway, pool_size=1)
    brands = [uuid4(), uuid4()]
    seen: list[str | None] = []
    for brand in (*brands, brands[1]):
        async with database.statement(brand) as connection:
            seen.append(await connection.fetchval(f"SELECT {BRAND}"))
    for given in (None, brands[0], None):
        async with database.connection(given) as connection:
            seen.append(await connection.fetchval(f"SELECT {BRAND}"))
    await database.close()

    assert seen[:3] == [str(brands[0]), str(brands[1]), str(brands[1])]
    assert seen[3:] == ["", str(brands[0]), ""]


async def test_a_statement_is_stored_by_itself(owner_database: Database, table: str) -> None:
    async with owner_database.statement(uuid4()) as connection:
        await connection.execute(f"INSERT INTO {table} VALUES (1)")
        seen_from_outside = await count(owner_database, table)

    assert seen_from_outside == 1
