"""The gateway's tables: closed by brand, tidied when old."""

from datetime import timedelta

import asyncpg
import pytest

from services.gateway.housekeeping import Housekeeper
from services.gateway.queries import inbox
from shared import clock
from shared.ids import new_id
from tests.gateway.gateways import message

TENANT = ("account", "inbox", "idempotency")


async def test_without_a_brand_there_are_no_rows(gateway, aurora, gateway_database):
    brand_id, client = aurora
    account = await gateway.telegram(client)
    await gateway.hears(account, message(1, "ciao"))
    other_id, _ = await gateway.brand(name="Borealis")
    body = {"name": "k", "scopes": ["keys:read"]}
    await client.post("/v1/keys", json=body, headers={"idempotency-key": "k"})

    for table in TENANT:
        counts = []
        for brand in (None, other_id, new_id(), brand_id):
            async with gateway_database.connection(brand) as connection:
                counts.append(await connection.fetchval(f"SELECT count(*) FROM gateway.{table}"))
        assert counts == [0, 0, 0, 1], table


async def test_nothing_is_put_into_another_brand(gateway, aurora, gateway_database):
    brand_id, _ = aurora
    values = "'telegram', 'n', '{}', now()"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with gateway_database.connection(new_id()) as connection:
            await connection.execute(
                "INSERT INTO gateway.account (brand_id, id, channel, name, settings, created_at)"
                f" VALUES ($1, $2, {values})",
                brand_id,
                new_id(),
            )
    async with gateway_database.connection(new_id()) as connection:
        done = await connection.execute("UPDATE gateway.inbox SET state = 'dead'")
    assert done == "UPDATE 0"


async def test_every_tenant_table_forces_row_security(owner_database):
    async with owner_database.connection() as connection:
        rows = await connection.fetch(
            "SELECT relname, relrowsecurity AND relforcerowsecurity AS closed FROM pg_class c"
            " WHERE relnamespace = 'gateway'::regnamespace AND relkind = 'r' AND EXISTS ("
            "  SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'brand_id')"
        )
    closed = {row["relname"] for row in rows if row["closed"]}
    assert closed == set(TENANT)
    assert {row["relname"] for row in rows} - closed == {"api_key", "route", "work"}


async def test_what_is_old_and_done_is_deleted_and_what_is_dead_is_kept(
    gateway, aurora, monkeypatch
):
    brand_id, client = aurora
    account = await gateway.telegram(client)
    now = clock.now()
    monkeypatch.setattr("time.time_ns", lambda: int((now - timedelta(days=31)).timestamp() * 1e9))
    for number in range(1, 4):
        await gateway.hears(account, message(number, "ciao"))
    monkeypatch.undo()
    await gateway.hears(account, message(9, "ciao"))
    await gateway.settle()
    async with gateway.house.database.connection(brand_id) as connection:
        await connection.execute("UPDATE gateway.inbox SET state = 'dead' WHERE dedupe = '3'")
        await connection.execute(
            "INSERT INTO gateway.idempotency VALUES ($1, 'r', 'k', '', $1, true, now(), 201, '',"
            " now() - interval '73 hours')",
            brand_id,
        )

    house = gateway.house
    deleted = await Housekeeper(house.database, house.door, inbox_days=30).tidy()

    assert deleted == 3
    assert {row["dedupe"] for row in await gateway.rows(brand_id)} == {"3", "9"}


async def test_the_backlog_is_measured(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)
    gateway.consent_down.set()
    await gateway.hears(account, message(1, "ciao"))

    async with gateway.house.database.connection() as connection:
        found = await inbox.backlog(connection)
    gateway.consent_down.clear()
    await gateway.settle()

    assert found["waiting"] == 1
    assert found["due_at"] is not None
