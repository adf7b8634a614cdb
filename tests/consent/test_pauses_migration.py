"""Pauses that a merge of an earlier version left behind come to whoever has the address now."""

from pathlib import Path

import asyncpg

from shared.ids import new_id
from shared.migrate import migrate
from tests.consent.test_log_migration import _up_to
from tests.postgres import DatabaseServer

_ACCOUNT = "INSERT INTO consent.account VALUES ($1, $1, 'telegram')"
_IDENTITY = "INSERT INTO consent.identity VALUES ($1, 'telegram', '42', $2)"
_PAUSE = """
INSERT INTO consent.pause VALUES ($1, $2, 'doubtful', 'channel', 'telegram', 'infinity', now(), $3,
    1, 'channel', $1, '42')
"""
_REVIEW = """
INSERT INTO consent.review VALUES ($1, $3, 1, $2, $1, '42', 'channel', true, now(), now())
"""
_OWNERS = ("SELECT person_id FROM consent.pause", "SELECT person_id FROM consent.review")


async def test_they_come_to_whoever_has_the_address(
    cluster: DatabaseServer, tmp_path: Path
) -> None:
    urls = cluster.urls("permesso_before_two_pauses")
    await cluster._execute("CREATE DATABASE permesso_before_two_pauses")
    brand_id, kept, gone, event_id = (new_id() for _ in range(4))
    try:
        await migrate(urls.owner, "consent", versions=_up_to(9, tmp_path / "9"))
        connection = await asyncpg.connect(urls.owner)
        await connection.execute("SELECT set_config('app.brand', $1, false)", str(brand_id))
        await connection.execute(_ACCOUNT, brand_id)
        await connection.execute(_IDENTITY, brand_id, kept)
        await connection.execute(_PAUSE, brand_id, gone, event_id)
        await connection.execute(_REVIEW, brand_id, gone, event_id)
        await migrate(urls.owner, "consent")
        found = [await connection.fetchval(statement) for statement in _OWNERS]
        await connection.close()
    finally:
        await cluster._execute("DROP DATABASE permesso_before_two_pauses WITH (FORCE)")

    assert found == [kept, kept]
