"""A transaction that somebody forgot is seen, whoever's it is."""

import asyncpg
from structlog.testing import capture_logs

from services.dispatcher import horizon
from services.dispatcher.horizon import Horizon


async def held(dispatcher_database) -> list[dict]:
    with capture_logs() as logs:
        await Horizon(dispatcher_database).step()
    return [each for each in logs if each["event"] == "database.snapshot_held"]


async def test_a_snapshot_of_another_role_that_is_held_too_long_is_told(
    dispatcher_database, urls, monkeypatch
):
    monkeypatch.setattr(horizon, "TOO_OLD", 0.05)
    connection = await asyncpg.connect(urls.owner)
    try:
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        await connection.execute("SELECT pg_sleep(0.1)")
        told = await held(dispatcher_database)
        await connection.execute("ROLLBACK")
        afterwards = await held(dispatcher_database)
    finally:
        await connection.close()

    assert len(told) == 1
    assert afterwards == []
