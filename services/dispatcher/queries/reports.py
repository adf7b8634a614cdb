"""Messages as brands see them, with their attempts and receipts."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

_COLUMNS = (
    "m.id, m.campaign_id, m.account_id, m.person_id,"
    " nullif(m.address, 'erased:' || m.id) AS address, m.purpose, m.status, m.reason,"
    " m.parts, m.part AS parts_sent, m.due_at, m.created_at, m.updated_at, m.consent_event_id"
)
_ONE = f"SELECT {_COLUMNS} FROM dispatcher.message m WHERE m.brand_id = $1 AND m.id = $2"  # noqa: S608
_PAGE = f"""
SELECT {_COLUMNS} FROM dispatcher.message m
WHERE m.brand_id = $1 AND m.campaign_id = $2
  AND m.day = (SELECT day FROM dispatcher.campaign WHERE brand_id = $1 AND id = $2)
  AND ($3::text IS NULL OR m.status = $3)
  AND ($4::uuid IS NULL OR (m.account_id, m.address) > ($4, $5))
ORDER BY m.account_id, m.address LIMIT $6
"""  # noqa: S608 -- constants


async def find(
    connection: asyncpg.Connection, *, brand_id: UUID, message_id: UUID
) -> asyncpg.Record | None:
    """Return a message, or None."""
    return await connection.fetchrow(_ONE, brand_id, message_id)


async def page(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    campaign_id: UUID,
    status: str | None,
    after: tuple[UUID, str] | None,
    limit: int,
) -> list[asyncpg.Record]:
    """Return a campaign's messages in the order of account and address."""
    account_id, address = after or (None, None)
    rows: list[asyncpg.Record] = await connection.fetch(
        _PAGE, brand_id, campaign_id, status, account_id, address, limit
    )
    return rows


async def attempts(
    connection: asyncpg.Connection, *, brand_id: UUID, message_ids: Sequence[UUID]
) -> list[asyncpg.Record]:
    """Return messages' attempts in order. Those of a later day than the message's are among them.

    The messages of one page are neighbours by account and address, not by id, so each is looked
    up by itself; the index has them by message.
    """
    rows: list[asyncpg.Record] = await connection.fetch(
        "SELECT message_id, id, part, started_at, settled_at, outcome, code, platform_ids"
        " FROM dispatcher.attempt WHERE brand_id = $1 AND message_id = ANY($2)"
        " ORDER BY started_at, id",
        brand_id,
        message_ids,
    )
    return rows


async def receipts(
    connection: asyncpg.Connection, *, brand_id: UUID, message_ids: Sequence[UUID]
) -> list[asyncpg.Record]:
    """Return messages' receipts in order."""
    rows: list[asyncpg.Record] = await connection.fetch(
        "SELECT message_id, platform_id, status, at, code FROM dispatcher.receipt"
        " WHERE brand_id = $1 AND message_id = ANY($2) ORDER BY at, received_at, id",
        brand_id,
        message_ids,
    )
    return rows
