"""Messages without a campaign: one person, one message."""

from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.dispatcher.queries.slips import NO_CAMPAIGN
from shared.ids import new_id


async def exists(connection: asyncpg.Connection, *, brand_id: UUID, message_id: UUID) -> bool:
    """Is this id taken by a message without a campaign?"""
    return bool(
        await connection.fetchval(
            "SELECT true FROM dispatcher.single WHERE brand_id = $1 AND id = $2",
            brand_id,
            message_id,
        )
    )


async def remember(
    connection: asyncpg.Connection, *, brand_id: UUID, message_id: UUID, day: date
) -> bool:
    """Take the id for a message of this day; false when it is taken already."""
    return bool(
        await connection.fetchval(
            "INSERT INTO dispatcher.single (brand_id, id, day) VALUES ($1, $2, $3)"
            " ON CONFLICT DO NOTHING RETURNING true",
            brand_id,
            message_id,
            day,
        )
    )


async def insert(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    message_id: UUID,
    day: date,
    account_id: UUID,
    person_id: UUID | None,
    address: str,
    language: str | None,
    purpose: str,
    withheld: str | None,
    waits_for: str | None,
    parts: list[dict[str, object]],
    due_at: datetime,
    grant_seq: int,
    consent_event_id: UUID | None,
    test_of: UUID | None = None,
    variant: str | None = None,
) -> None:
    """Queue a message with its parts, or store it as withheld; let its lane wake when it is due."""
    slip_id = new_id() if withheld is None else None
    await connection.execute(
        "INSERT INTO dispatcher.message (brand_id, id, day, account_id, person_id, address,"
        " language, purpose, status, reason, parts, due_at, grant_seq, consent_event_id, content,"
        " slip_id, test_of, variant) VALUES ($1, $2, $3, $4, $5, $6, $7, $8,"
        " CASE WHEN $9::text IS NULL THEN 'queued' ELSE 'withheld' END, coalesce($9, $15), $10,"
        " $11, $12, $13, $14, $16, $17, $18)",
        brand_id,
        message_id,
        day,
        account_id,
        person_id,
        address,
        language,
        purpose,
        withheld,
        len(parts),
        due_at,
        grant_seq,
        consent_event_id,
        {"parts": parts},
        waits_for,
        slip_id,
        test_of,
        variant,
    )
    if withheld is None:
        await connection.execute(
            "INSERT INTO dispatcher.slip"
            " (brand_id, id, account_id, queue_id, due_at, day, messages)"
            " VALUES ($1, $2, $3, $4, $5, $6, ARRAY[$7::uuid])",
            brand_id,
            slip_id,
            account_id,
            NO_CAMPAIGN,
            due_at,
            day,
            message_id,
        )
        await connection.execute(
            "UPDATE dispatcher.lane SET wake_at = least(wake_at, $2) WHERE id = $1",
            account_id,
            due_at,
        )
