"""Accounts, and the lanes that come and go with them."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.dispatcher.queries.slips import LONGEST_FLIGHT, finish_account


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as it is stored; credentials are sealed."""

    brand_id: UUID
    id: UUID
    channel: str
    name: str
    credentials: bytes
    settings: dict[str, object]
    status: str
    status_reason: str | None
    platform_id: str | None
    platform_name: str | None
    version: int


_COLUMNS = (
    "brand_id, id, channel, name, credentials, settings, status, status_reason, platform_id,"
    " platform_name, version"
)


async def find(
    connection: asyncpg.Connection, *, brand_id: UUID, account_id: UUID, lock: bool = False
) -> AccountRow | None:
    """Return an account that is not deleted; with `lock`, until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM dispatcher.account"  # noqa: S608 -- constants
        " WHERE brand_id = $1 AND id = $2 AND deleted_at IS NULL" + (" FOR UPDATE" * lock),
        brand_id,
        account_id,
    )
    return None if row is None else AccountRow(*row)


async def stays(connection: asyncpg.Connection, *, brand_id: UUID, account_id: UUID) -> bool:
    """Is this account not deleted, and will it not be before this transaction ends?

    Whoever queues a message asks: what waits on a deleted account is cleared away once.
    """
    return bool(
        await connection.fetchval(
            "SELECT true FROM dispatcher.account"
            " WHERE brand_id = $1 AND id = $2 AND deleted_at IS NULL FOR SHARE",
            brand_id,
            account_id,
        )
    )


async def of_brand(connection: asyncpg.Connection, *, brand_id: UUID) -> list[AccountRow]:
    """Return a brand's accounts, the oldest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM dispatcher.account"  # noqa: S608 -- constants
        " WHERE brand_id = $1 AND deleted_at IS NULL ORDER BY created_at, id",
        brand_id,
    )
    return [AccountRow(*row) for row in rows]


async def insert(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    account_id: UUID,
    channel: str,
    name: str,
    credentials: bytes,
    settings: dict[str, object],
    platform_id: str | None,
) -> bool:
    """Insert an account with its lane; false when the id is taken."""
    new = await connection.fetchval(
        "INSERT INTO dispatcher.account"
        " (brand_id, id, channel, name, credentials, settings, platform_id)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING true",
        brand_id,
        account_id,
        channel,
        name,
        credentials,
        settings,
        platform_id,
    )
    if new:
        await connection.execute(
            "INSERT INTO dispatcher.lane (id, brand_id, kind) VALUES ($1, $2, 'account')"
            " ON CONFLICT DO NOTHING",
            account_id,
            brand_id,
        )
    return bool(new)


async def change(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    account_id: UUID,
    name: str,
    credentials: bytes,
    settings: dict[str, object],
    platform_id: str | None,
) -> None:
    """Change an account; whoever has it open opens it anew."""
    await connection.execute(
        "UPDATE dispatcher.account SET name = $3, credentials = $4, settings = $5,"
        " status = CASE WHEN $6 <> platform_id THEN 'new' ELSE status END,"
        " status_reason = CASE WHEN $6 <> platform_id THEN NULL ELSE status_reason END,"
        " platform_name = CASE WHEN $6 <> platform_id THEN NULL ELSE platform_name END,"
        " platform_id = coalesce($6, platform_id), version = version + 1"
        " WHERE brand_id = $1 AND id = $2",
        brand_id,
        account_id,
        name,
        credentials,
        settings,
        platform_id,
    )
    if platform_id is not None:
        await let_go(connection, account_id=account_id, but=platform_id)


async def holder(connection: asyncpg.Connection, *, channel: str, platform_id: str) -> UUID | None:
    """Return the account, of whatever brand, that is connected as this bot or number."""
    account_id: UUID | None = await connection.fetchval(
        "SELECT account_id FROM dispatcher.platform_account"
        " WHERE channel = $1 AND platform_id = $2",
        channel,
        platform_id,
    )
    return account_id


async def hold(
    connection: asyncpg.Connection, *, channel: str, platform_id: str, account_id: UUID
) -> bool:
    """Let an account be the one of this bot or number; false when another one is."""
    await let_go(connection, account_id=account_id, but=platform_id)
    return bool(
        await connection.fetchval(
            "INSERT INTO dispatcher.platform_account AS p (channel, platform_id, account_id)"
            " VALUES ($1, $2, $3) ON CONFLICT (channel, platform_id)"
            " DO UPDATE SET account_id = $3 WHERE p.account_id = $3 RETURNING true",
            channel,
            platform_id,
            account_id,
        )
    )


async def let_go(
    connection: asyncpg.Connection, *, account_id: UUID, but: str | None = None
) -> None:
    """Let others connect as what this account was connected as, `but` as this."""
    await connection.execute(
        "DELETE FROM dispatcher.platform_account"
        " WHERE account_id = $1 AND platform_id IS DISTINCT FROM $2",
        account_id,
        but,
    )


async def connected(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    account_id: UUID,
    platform_id: str,
    platform_name: str,
) -> None:
    """Write down that the platform knows the account, and who it says it is."""
    await connection.execute(
        "UPDATE dispatcher.account SET status = 'connected', status_reason = NULL,"
        " platform_id = $3, platform_name = $4 WHERE brand_id = $1 AND id = $2",
        brand_id,
        account_id,
        platform_id,
        platform_name,
    )


async def change_status(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    account_id: UUID,
    working: bool,
    reason: str | None,
) -> str | None:
    """Write down whether an account works; return its channel when that was not known before.

    Only a broken account recovers: a new one becomes `connected` by being connected.
    """
    channel: str | None = await connection.fetchval(
        "UPDATE dispatcher.account SET status_reason = $4,"
        " status = CASE WHEN $3 THEN 'connected' ELSE 'broken' END"
        " WHERE brand_id = $1 AND id = $2 AND deleted_at IS NULL AND (status = 'broken') = $3"
        " RETURNING channel",
        brand_id,
        account_id,
        working,
        reason,
    )
    return channel


async def delete(connection: asyncpg.Connection, *, brand_id: UUID, account_id: UUID) -> bool:
    """Delete an account with its credentials and its lane; false when there is none."""
    gone = await connection.fetchval(
        "UPDATE dispatcher.account SET deleted_at = now(), credentials = ''"
        " WHERE brand_id = $1 AND id = $2 AND deleted_at IS NULL RETURNING true",
        brand_id,
        account_id,
    )
    if gone:
        await connection.execute("DELETE FROM dispatcher.lane WHERE id = $1", account_id)
        await let_go(connection, account_id=account_id)
    return bool(gone)


# Slip by slip, and each slip is forgotten with the last of its messages that is live. There is no
# lane any more, so nobody takes over what a dead process left in flight: after a time that is
# called unknown here.
_CANCEL = """
WITH listed AS MATERIALIZED (
    SELECT id, day, messages FROM dispatcher.slip WHERE brand_id = $1 AND account_id = $2
    ORDER BY id LIMIT $3 FOR UPDATE),
gone AS (
    UPDATE dispatcher.message m SET updated_at = now(),
        reason = CASE m.status WHEN 'queued' THEN 'account_deleted' ELSE 'owner_lost' END,
        status = CASE WHEN m.part > 0 THEN 'partial' WHEN m.status = 'queued' THEN 'cancelled'
            ELSE 'unknown' END
    FROM listed l CROSS JOIN LATERAL unnest(l.messages) AS u(id)
    WHERE m.brand_id = $1 AND m.day = l.day AND m.id = u.id AND m.slip_id = l.id
      AND (m.status = 'queued' OR m.status = 'sending'
          AND m.updated_at < now() - make_interval(secs => $4))
    RETURNING 1)
SELECT count(*) FROM gone
"""


async def cancel_messages(
    connection: asyncpg.Connection, *, brand_id: UUID, account_id: UUID, slips: int
) -> tuple[int, bool]:
    """Cancel what waits on so many slips of a deleted account.

    Returns how many messages, and whether anything is left: what flies, or came back just now.
    """
    cancelled: int = await connection.fetchval(_CANCEL, brand_id, account_id, slips, LONGEST_FLIGHT)
    await finish_account(connection, brand_id=brand_id, account_id=account_id)
    left: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM dispatcher.slip WHERE brand_id = $1 AND account_id = $2)",
        brand_id,
        account_id,
    )
    return cancelled, left
