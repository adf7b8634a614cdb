"""The tables in the code and the tables that migrations make are the same."""

from importlib import import_module

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine

from shared.migrate import ROLES, VERSION_TABLE
from tests.postgres import Urls

PARTITIONS = (
    "SELECT relname FROM pg_class WHERE relispartition AND relnamespace = :schema ::regnamespace"
)

# They hold ids alone, by which a process finds work, keys and routes before it knows the brand.
OPEN: dict[str, set[str]] = {
    "consent": {"expiry", "feed", "feed_arrival", "log_arrival", "log_head", "pause_due"},
    "dispatcher": {"lane", "work"},
    "gateway": {"api_key", "route", "work"},
}


def differences(connection: Connection, schema: str, metadata: MetaData) -> list[str]:
    """Say where a class and its table differ.

    What migrations alone know is no difference: an index is never named by code, and tables of the
    hot paths have statements and no class.
    """
    rows = connection.execute(text(PARTITIONS), {"schema": schema})
    unwanted = {row[0] for row in rows} | {VERSION_TABLE}

    def ours(name: str | None, kind: str, parents: object) -> bool:
        if kind == "schema":
            return name == schema
        return kind != "table" or name not in unwanted

    context = MigrationContext.configure(
        connection,
        opts={
            "include_schemas": True,
            "include_name": ours,
            "compare_type": True,
            "version_table_schema": schema,
        },
    )
    found = compare_metadata(context, metadata)
    # A change of one column comes as a list of changes.
    changes = [
        each for change in found for each in (change if isinstance(change, list) else [change])
    ]
    return [
        f"{kind}: {', '.join(str(getattr(each, 'name', each)) for each in what[:4])}"
        for kind, *what in changes
        if kind not in ("remove_index", "remove_constraint", "remove_fk", "remove_table")
    ]


@pytest.mark.filterwarnings("ignore:Did not recognize type")
@pytest.mark.parametrize("service", ROLES)
async def test_every_class_is_a_table_that_migrations_make(urls: Urls, service: str) -> None:
    metadata = import_module(f"services.{service}.tables").Table.metadata
    engine = create_async_engine(urls.owner.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        found = await connection.run_sync(differences, service, metadata)
    await engine.dispose()

    assert found == []
    assert metadata.tables


@pytest.mark.parametrize("service", ROLES)
async def test_tenant_tables_are_closed_by_row_security(urls: Urls, service: str) -> None:
    """Every table with a brand is closed, or is one of the small ones that workers search."""
    engine = create_async_engine(urls.owner.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity FROM pg_class c"
                " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'brand_id'"
                " WHERE c.relnamespace = :schema ::regnamespace AND c.relkind IN ('r', 'p')"
                " AND NOT c.relispartition"
            ),
            {"schema": service},
        )
        closed = {name: bool(on) for name, on in rows}
    await engine.dispose()

    assert {name for name, on in closed.items() if not on} == OPEN[service]


@pytest.mark.parametrize("role", [role for roles in ROLES.values() for role in roles])
async def test_roles_own_nothing_and_stay_in_their_schema(urls: Urls, role: str) -> None:
    engine = create_async_engine(urls.owner.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        facts = (
            await connection.execute(
                text(
                    "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb,"
                    " (SELECT count(*) FROM pg_class WHERE relowner = r.oid)"
                    " FROM pg_roles r WHERE rolname = :role"
                ),
                {"role": role},
            )
        ).one()
        schemas = await connection.execute(
            text(
                "SELECT nspname FROM pg_namespace WHERE nspname = ANY(:services)"
                " AND has_schema_privilege(:role, nspname, 'USAGE')"
            ),
            {"role": role, "services": list(ROLES)},
        )
        usable = {name for (name,) in schemas}
    await engine.dispose()

    assert tuple(facts) == (False, 0)
    assert usable == {service for service, roles in ROLES.items() if role in roles}
