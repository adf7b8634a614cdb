"""What was recorded before there was a log comes into it; what no key of a person covers stops."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from services.consent.app import create_app
from services.consent.notary import Notary
from services.consent.queries import log
from shared.ids import new_id
from shared.migrate import migrate, versions_folder
from tests.consent.consent_house import settings_for
from tests.postgres import DatabaseServer, Urls

_EVENT = """
INSERT INTO consent.event (brand_id, id, action, account_id, channel, address, person_id, purpose,
    scope, held_scope, purposes, sealed, recorded_at, outcome)
VALUES ($1, $2, 'grant', $1, 'telegram', '42', $1, 'marketing', 'purpose', 'purpose',
    '{marketing}', 'x', now(), 'granted')
"""
_BRAND = new_id()


@pytest.fixture
async def old(cluster: DatabaseServer, tmp_path: Path) -> AsyncIterator[tuple[Urls, list[UUID]]]:
    """A database of the first step alone, with two lines."""
    urls = cluster.urls("permesso_before_the_log")
    await cluster._execute("CREATE DATABASE permesso_before_the_log")
    event_ids = [new_id(), new_id()]
    try:
        await migrate(urls.owner, "consent", versions=_up_to(1, tmp_path / "1"))
        connection = await asyncpg.connect(urls.owner)
        for event_id in event_ids:
            await connection.execute(_EVENT, _BRAND, event_id)
        await connection.close()
        yield urls, event_ids
    finally:
        await cluster._execute("DROP DATABASE permesso_before_the_log WITH (FORCE)")


def _up_to(last: int, folder: Path) -> Path:
    folder.mkdir()
    for script in versions_folder("consent").glob("0*.py"):
        if int(script.name[:4]) <= last:
            shutil.copy(script, folder)
    return folder


async def test_what_is_there_already_is_logged_after_the_upgrade(
    old: tuple[Urls, list[UUID]], tmp_path: Path
) -> None:
    urls, event_ids = old
    await migrate(urls.owner, "consent", versions=_up_to(4, tmp_path / "4"))
    registry = create_app(settings_for(urls.consent)).state.registry
    logged = await Notary(registry).advance(_BRAND)
    async with registry.database.connection(_BRAND) as tenant:
        rows = await log.read(tenant, _BRAND, begin=0, end=10)
    await registry.database.close()

    assert logged == 2
    assert [row["id"] for row in rows] == event_ids
    assert [row["commitment"] for row in rows] == [None, None]


async def test_lines_under_no_persons_key_stop_the_upgrade_and_stay(
    old: tuple[Urls, list[UUID]],
) -> None:
    urls, event_ids = old
    with pytest.raises(RuntimeError, match="begin with an empty database"):
        await migrate(urls.owner, "consent")
    connection = await asyncpg.connect(urls.owner)
    await connection.execute("SELECT set_config('app.brand', $1, false)", str(_BRAND))
    rows = await connection.fetch("SELECT id, address FROM consent.event ORDER BY seq")
    await connection.close()

    assert [(row["id"], row["address"]) for row in rows] == [(each, "42") for each in event_ids]
