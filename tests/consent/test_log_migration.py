"""What was recorded before there was a log comes into it."""

import shutil
from pathlib import Path

import asyncpg

from services.consent.app import create_app
from services.consent.notary import Notary
from services.consent.queries import log
from shared.ids import new_id
from shared.migrate import migrate, versions_folder
from tests.consent.consent_house import settings_for
from tests.postgres import DatabaseServer

_EVENT = """
INSERT INTO consent.event (brand_id, id, action, account_id, channel, address, person_id, purpose,
    scope, held_scope, purposes, sealed, recorded_at, outcome)
VALUES ($1, $2, 'grant', $1, 'telegram', '42', $1, 'marketing', 'purpose', 'purpose',
    '{marketing}', 'x', now(), 'granted')
"""


async def test_what_is_there_already_is_logged_after_the_upgrade(
    cluster: DatabaseServer, tmp_path: Path
) -> None:
    urls = cluster.urls("permesso_before_the_log")
    await cluster._execute("CREATE DATABASE permesso_before_the_log")
    before = tmp_path / "versions"
    before.mkdir()
    shutil.copy(versions_folder("consent") / "0001_initial.py", before)
    brand_id, event_ids = new_id(), [new_id(), new_id()]
    try:
        await migrate(urls.owner, "consent", versions=before)
        connection = await asyncpg.connect(urls.owner)
        for event_id in event_ids:
            await connection.execute(_EVENT, brand_id, event_id)
        await connection.close()
        await migrate(urls.owner, "consent")
        registry = create_app(settings_for(urls.consent)).state.registry
        logged = await Notary(registry).advance(brand_id)
        async with registry.database.connection(brand_id) as tenant:
            rows = await log.read(tenant, brand_id, begin=0, end=10)
        await registry.database.close()
    finally:
        await cluster._execute("DROP DATABASE permesso_before_the_log WITH (FORCE)")

    assert logged == 2
    assert [row["id"] for row in rows] == event_ids
    assert [row["commitment"] for row in rows] == [None, None]
