"""Migrations: one history per service, repeatable, and roles that can do little."""

import base64
import hmac
from pathlib import Path

import asyncpg
import pytest

from shared.migrate import ROLES, UnsafeRole, create_roles, migrate, scram_verifier
from tests.postgres import PASSWORD, DatabaseServer, Urls

FIRST = """
from alembic import op
revision, down_revision = "0001", None
def upgrade():
    op.execute("CREATE TABLE gateway.one (id int)")
    op.execute("GRANT SELECT ON gateway.one TO permesso_gateway")
"""
SECOND = """
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.execute("CREATE TABLE gateway.two (id int)")
    {more}
"""


@pytest.fixture
async def empty(cluster: DatabaseServer, urls: Urls) -> str:
    """A database with no schema of ours."""
    connection = await asyncpg.connect(urls.owner)
    for schema in ROLES:
        await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    await connection.close()
    return urls.owner


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r'"
        " AND relnamespace = to_regnamespace('gateway')"
    )
    await connection.close()
    return {row["relname"] for row in rows}


async def test_each_migration_is_run_once(empty: str, tmp_path: Path) -> None:
    (tmp_path / "0001_one.py").write_text(FIRST)
    await migrate(empty, "gateway", versions=tmp_path)
    (tmp_path / "0002_two.py").write_text(SECOND.format(more="pass"))
    await migrate(empty, "gateway", versions=tmp_path)
    await migrate(empty, "gateway", versions=tmp_path)

    assert await tables(empty) == {"alembic_version", "one", "two"}


async def test_one_that_breaks_takes_back_itself_alone(empty: str, tmp_path: Path) -> None:
    (tmp_path / "0001_one.py").write_text(FIRST)
    (tmp_path / "0002_two.py").write_text(SECOND.format(more="raise RuntimeError('broken')"))

    with pytest.raises(RuntimeError, match="broken"):
        await migrate(empty, "gateway", versions=tmp_path)
    assert await tables(empty) == {"alembic_version", "one"}


async def test_a_service_without_migrations_has_an_empty_schema(empty: str, tmp_path: Path) -> None:
    await migrate(empty, "gateway", versions=tmp_path / "none")

    assert await tables(empty) == set()


async def test_roles_are_made_again_and_again(cluster: DatabaseServer, urls: Urls) -> None:
    await create_roles(urls.owner, {"permesso_gateway": PASSWORD})
    connection = await asyncpg.connect(urls.gateway)
    who = await connection.fetchval("SELECT current_user")
    await connection.close()

    assert who == "permesso_gateway"


async def test_a_role_that_sees_everything_is_refused(urls: Urls) -> None:
    connection = await asyncpg.connect(urls.owner)
    await connection.execute("ALTER ROLE permesso_inbox BYPASSRLS")
    try:
        with pytest.raises(UnsafeRole, match="permesso_inbox"):
            await create_roles(urls.owner, {})
    finally:
        await connection.execute("ALTER ROLE permesso_inbox NOBYPASSRLS")
        await connection.close()


def test_a_verifier_holds_the_keys_of_the_standard() -> None:
    """RFC 7677, section 3: its ServerSignature is made with the server key of this verifier."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    verifier = scram_verifier("pencil", salt=salt)
    messages = (
        "n=user,r=rOprNGfwEbeRWgbNEkqO,"
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    server_key = base64.b64decode(verifier.rpartition(":")[2])

    signature = hmac.digest(server_key, messages.encode(), "sha256")
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


async def test_the_password_of_a_role_is_the_one_given(urls: Urls) -> None:
    await create_roles(urls.owner, {"permesso_consent": PASSWORD})

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(urls.consent.replace(PASSWORD, "another"))
    connection = await asyncpg.connect(urls.consent)
    await connection.close()
