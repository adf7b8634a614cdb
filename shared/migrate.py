"""Migrations: one schema and one history per service, in one database; and the services' roles."""

import asyncio
import base64
import hashlib
import hmac
import os
import unicodedata
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import structlog
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import Revision
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

log = structlog.get_logger()

ROLES: Mapping[str, tuple[str, ...]] = {
    "consent": ("permesso_consent",),
    "dispatcher": ("permesso_dispatcher",),
    "gateway": ("permesso_gateway", "permesso_inbox"),
}
"""The login roles that may use each service's schema. What they may do there, migrations grant."""
SERVICES: tuple[str, ...] = tuple(ROLES)
VERSION_TABLE = "alembic_version"

_ROOT = Path(__file__).resolve().parent.parent
# Any number that nobody else locks: two migrations at once wait for each other.
_LOCK = 7_030_602_012


class UnsafeRole(Exception):
    """A service's role could see every tenant: it is a superuser or goes around row security."""


def versions_folder(service: str) -> Path:
    """Return where the migrations of a service are."""
    return _ROOT / "services" / service / "migrations" / "versions"


async def migrate_all(
    url: str, passwords: Mapping[str, str], services: Iterable[str] = SERVICES
) -> None:
    """Make the roles, then bring every service's schema up to date."""
    await create_roles(url, passwords)
    for service in services:
        await migrate(url, service)


async def create_roles(url: str, passwords: Mapping[str, str]) -> None:
    """Make the login roles that are missing, as the owner that `url` names; repeat as you like.

    They own nothing, are no superusers and cannot go around row security. `passwords` is by role
    name; a role without one keeps what it has. Only a SCRAM verifier travels, never a password.
    """
    connection = await asyncpg.connect(url, timeout=10)
    try:
        for role in (role for roles in ROLES.values() for role in roles):
            await _create_role(connection, role)
            if password := passwords.get(role):
                verifier = scram_verifier(password)
                await _execute(connection, "ALTER ROLE %I LOGIN PASSWORD %L", role, verifier)
        unsafe = await connection.fetch(
            "SELECT rolname FROM pg_roles WHERE (rolsuper OR rolbypassrls) AND rolname = ANY($1)",
            [role for roles in ROLES.values() for role in roles],
        )
        if unsafe:
            raise UnsafeRole(", ".join(row["rolname"] for row in unsafe))
    finally:
        await connection.close()


async def _create_role(connection: asyncpg.Connection, role: str) -> None:
    if await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        return
    try:
        await _execute(
            connection,
            "CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS",
            role,
        )
    except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
        log.info("role.found", role=role)


async def _execute(connection: asyncpg.Connection, statement: str, *values: str) -> None:
    """Run a statement that takes no parameters, with values that PostgreSQL itself has quoted."""
    marks = ", ".join(f"${number}::text" for number in range(2, len(values) + 2))
    await connection.execute(
        await connection.fetchval(f"SELECT format($1, {marks})", statement, *values)
    )


def scram_verifier(password: str, *, salt: bytes | None = None, rounds: int = 4096) -> str:
    """Return what PostgreSQL stores for a password (RFC 5803), so it never sees the password."""
    salt = salt or os.urandom(16)
    plain = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", plain, salt, rounds)
    client = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = (base64.b64encode(part).decode() for part in (salt, client, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(rounds, *parts)


async def migrate(url: str, service: str, *, versions: Path | None = None) -> None:
    """Bring one service's schema up to date, as the owner that `url` names.

    Each migration is a transaction of its own. A lock that cannot be had within ten seconds ends
    it with an error rather than letting the whole service queue up behind it.
    """
    folder = versions or versions_folder(service)
    async with _owner(url) as connection:
        await connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        await connection.execute(text("SET lock_timeout = '10s'"))
        await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {service}"))
        roles = ", ".join(ROLES[service])
        await connection.execute(text(f"GRANT USAGE ON SCHEMA {service} TO {roles}"))
        await connection.commit()
        # Where a service has no history yet, its empty schema is all there is to make.
        if any(folder.glob("*.py")):
            await connection.run_sync(_upgrade, service, folder)
    log.info("schema.migrated", schema=service)


@asynccontextmanager
async def _owner(url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1))
    try:
        async with asyncio.timeout(15):
            connection = await engine.connect()
        try:
            yield connection
        finally:
            await connection.close()
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, service: str, folder: Path) -> None:
    """Run alembic without files of its own: no alembic.ini, no env.py, only the versions."""
    config = Config()
    config.set_main_option("script_location", str(folder.parent))
    config.set_main_option("version_locations", str(folder))
    config.set_main_option("path_separator", "newline")
    script = ScriptDirectory.from_config(config)

    def upgrade(revision: tuple[str, ...] | Revision, context: MigrationContext) -> list[object]:
        # What `alembic upgrade head` does, from alembic.command.upgrade.
        return list(script._upgrade_revs("head", revision))  # type: ignore[arg-type]

    with EnvironmentContext(config, script, fn=upgrade, destination_rev="head") as environment:
        environment.configure(
            connection=connection,
            version_table=VERSION_TABLE,
            version_table_schema=service,
            include_schemas=True,
            transaction_per_migration=True,
        )
        with environment.begin_transaction():
            environment.run_migrations()
    connection.commit()
