"""Messages as brands see them, with their attempts and receipts."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

_COLUMNS = (
    "m.id, m.campaign_id, m.variant, m.test_of, m.account_id, m.person_id,"
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


_CONTENT = """
SELECT coalesce(m.language, r.language) AS language, coalesce(r.story_id, c.story_id) AS story_id,
    coalesce(r.parts, m.content -> 'parts') AS parts
FROM dispatcher.message m
LEFT JOIN dispatcher.campaign c ON c.brand_id = $1 AND c.id = m.campaign_id
LEFT JOIN dispatcher.rendering r ON r.brand_id = $1 AND r.campaign_id = m.campaign_id
    AND r.account_id = m.account_id AND r.variant = coalesce(m.variant, '')
    AND r.language = m.language
WHERE m.brand_id = $1 AND m.id = $2
"""


async def content(
    connection: asyncpg.Connection, *, brand_id: UUID, message_id: UUID
) -> asyncpg.Record | None:
    """Return a message's language, story and parts; its parts are none where nothing was made."""
    return await connection.fetchrow(_CONTENT, brand_id, message_id)


# Straight through the index that keeps messages single: one look for each campaign and account.
_TO_ADDRESS = f"""
WITH place AS (SELECT id FROM dispatcher.account WHERE brand_id = $1 AND channel = $2),
found AS (
    SELECT m.* FROM place JOIN dispatcher.campaign c ON c.brand_id = $1 AND c.day IS NOT NULL
        AND place.id = ANY (c.account_ids)
    JOIN dispatcher.message m ON m.brand_id = $1 AND m.campaign_id = c.id AND m.day = c.day
        AND m.account_id = place.id AND m.address = $3
    UNION ALL
    SELECT m.* FROM place JOIN dispatcher.message m ON m.brand_id = $1 AND m.campaign_id IS NULL
        AND m.account_id = place.id AND m.address = $3),
m AS (
    SELECT * FROM found
    WHERE $4::timestamptz IS NULL OR (created_at, id) > ($4, $5::uuid)
    ORDER BY created_at, id LIMIT $6)
SELECT {_COLUMNS}, jsonb_build_object('language', coalesce(m.language, r.language),
    'story_id', coalesce(r.story_id, c.story_id),
    'parts', coalesce(r.parts, nullif(m.content -> 'parts', 'null'), '[]')) AS content
FROM m
LEFT JOIN dispatcher.campaign c ON c.brand_id = $1 AND c.id = m.campaign_id
LEFT JOIN dispatcher.rendering r ON r.brand_id = $1 AND r.campaign_id = m.campaign_id
    AND r.account_id = m.account_id AND r.variant = coalesce(m.variant, '')
    AND r.language = m.language
ORDER BY m.created_at, m.id
"""  # noqa: S608 -- constants


async def to_address(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    channel: str,
    address: str,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[asyncpg.Record]:
    """Return the messages to an address of a channel with what they say, the oldest first.

    Those of deleted accounts are among them.
    """
    rows: list[asyncpg.Record] = await connection.fetch(
        _TO_ADDRESS, brand_id, channel, address, *(after or (None, None)), limit
    )
    return rows


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
