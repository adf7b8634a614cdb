"""Callback endpoints and their lanes."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    """An endpoint as it is stored; its secrets are sealed."""

    id: UUID
    url: str
    types: list[str]
    secrets: bytes
    enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    created_at: datetime


_COLUMNS = "id, url, types, secrets, enabled, disabled_reason, failing_since, created_at"


async def find(
    connection: asyncpg.Connection, *, brand_id: UUID, endpoint_id: UUID, lock: bool = False
) -> EndpointRecord | None:
    """Return an endpoint that is not deleted."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM dispatcher.endpoint"  # noqa: S608 -- constants
        " WHERE brand_id = $1 AND id = $2 AND deleted_at IS NULL" + (" FOR UPDATE" * lock),
        brand_id,
        endpoint_id,
    )
    return None if row is None else EndpointRecord(*row)


async def page(
    connection: asyncpg.Connection, *, brand_id: UUID, before: UUID | None, limit: int
) -> list[EndpointRecord]:
    """Return a brand's endpoints, the newest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM dispatcher.endpoint"  # noqa: S608 -- constants
        " WHERE brand_id = $1 AND deleted_at IS NULL AND ($2::uuid IS NULL OR id < $2)"
        " ORDER BY id DESC LIMIT $3",
        brand_id,
        before,
        limit,
    )
    return [EndpointRecord(*row) for row in rows]


async def insert(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    endpoint_id: UUID,
    url: str,
    types: list[str],
    secrets: bytes,
) -> bool:
    """Insert an endpoint with its lane; false when the id is taken."""
    new = await connection.fetchval(
        "INSERT INTO dispatcher.endpoint (brand_id, id, url, types, secrets)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING true",
        brand_id,
        endpoint_id,
        url,
        types,
        secrets,
    )
    if new:
        await connection.execute(
            "INSERT INTO dispatcher.lane (id, brand_id, kind) VALUES ($1, $2, 'endpoint')"
            " ON CONFLICT DO NOTHING",
            endpoint_id,
            brand_id,
        )
    return bool(new)


async def change(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    endpoint_id: UUID,
    url: str,
    types: list[str],
    enabled: bool,
    disabled_reason: str | None,
) -> None:
    """Change an endpoint; one that is switched on begins anew and calls what waits."""
    await connection.execute(
        "UPDATE dispatcher.endpoint SET url = $3, types = $4, enabled = $5, disabled_reason = $6,"
        " failing_since = CASE WHEN $5 AND NOT enabled THEN NULL ELSE failing_since END"
        " WHERE brand_id = $1 AND id = $2",
        brand_id,
        endpoint_id,
        url,
        types,
        enabled,
        disabled_reason,
    )
    if enabled:
        await wake(connection, endpoint_id=endpoint_id)


async def set_secrets(
    connection: asyncpg.Connection, *, brand_id: UUID, endpoint_id: UUID, secrets: bytes
) -> None:
    """Replace the sealed secrets."""
    await connection.execute(
        "UPDATE dispatcher.endpoint SET secrets = $3 WHERE brand_id = $1 AND id = $2",
        brand_id,
        endpoint_id,
        secrets,
    )


async def delete(connection: asyncpg.Connection, *, brand_id: UUID, endpoint_id: UUID) -> bool:
    """Delete an endpoint, its secrets and its lane; false when there is none."""
    gone = await connection.fetchval(
        "UPDATE dispatcher.endpoint SET deleted_at = now(), enabled = false, secrets = ''"
        " WHERE brand_id = $1 AND id = $2 AND deleted_at IS NULL RETURNING true",
        brand_id,
        endpoint_id,
    )
    if gone:
        await connection.execute("DELETE FROM dispatcher.lane WHERE id = $1", endpoint_id)
    return bool(gone)


async def wake(connection: asyncpg.Connection, *, endpoint_id: UUID) -> None:
    """Let the endpoint's lane look for what is due."""
    await connection.execute(
        "UPDATE dispatcher.lane SET wake_at = least(wake_at, now()) WHERE id = $1", endpoint_id
    )


async def health(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    endpoint_id: UUID,
    delivered: bool,
    failed: bool,
    disable: str | None,
) -> None:
    """Remember since when an endpoint has done nothing but fail; switch it off with a reason."""
    await connection.execute(
        "UPDATE dispatcher.endpoint SET failing_since = CASE WHEN $3 THEN NULL"
        "   WHEN $4 THEN coalesce(failing_since, now()) ELSE failing_since END,"
        " enabled = enabled AND $5::text IS NULL,"
        " disabled_reason = coalesce($5::text, disabled_reason)"
        " WHERE brand_id = $1 AND id = $2 AND deleted_at IS NULL"
        "   AND ($5::text IS NOT NULL OR ($3 AND failing_since IS NOT NULL)"
        "     OR ($4 AND failing_since IS NULL))",
        brand_id,
        endpoint_id,
        delivered,
        failed,
        disable,
    )
