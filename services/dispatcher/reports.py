"""Tell of messages: where each is, and how it came there."""

from datetime import datetime
from typing import TypeVar
from uuid import UUID

import asyncpg

from services.dispatcher.queries import reports
from shared.contracts.exports import SentMessage
from shared.contracts.messages import Attempt, Message, Receipt
from shared.contracts.proofs import SentContent
from shared.database import Database

_Fact = TypeVar("_Fact", Attempt, Receipt)
_Message = TypeVar("_Message", Message, SentMessage)


class NoSuchMessage(Exception):
    """This brand has no message of this id."""


async def read(database: Database, brand_id: UUID, message_id: UUID) -> Message:
    """Return a message with its attempts and receipts, or raise `NoSuchMessage`."""
    async with database.connection(brand_id) as connection:
        return await read_in(connection, brand_id, message_id)


async def read_in(connection: asyncpg.Connection, brand_id: UUID, message_id: UUID) -> Message:
    """Do the same in the caller's transaction."""
    row = await reports.find(connection, brand_id=brand_id, message_id=message_id)
    if row is None:
        raise NoSuchMessage(str(message_id))
    [message] = await _complete(connection, brand_id, [row], Message)
    return message


async def read_content(database: Database, brand_id: UUID, message_id: UUID) -> SentContent:
    """Return what a message says, or raise `NoSuchMessage`; a withheld one may have no parts."""
    async with database.connection(brand_id) as connection:
        row = await reports.content(connection, brand_id=brand_id, message_id=message_id)
    if row is None:
        raise NoSuchMessage(str(message_id))
    return SentContent(
        language=row["language"], story_id=row["story_id"], parts=tuple(row["parts"] or ())
    )


async def page(
    database: Database,
    brand_id: UUID,
    campaign_id: UUID,
    *,
    status: str | None,
    after: tuple[UUID, str] | None,
    limit: int,
) -> list[Message]:
    """Return a campaign's messages by account and address, with attempts and receipts."""
    async with database.connection(brand_id) as connection:
        rows = await reports.page(
            connection,
            brand_id=brand_id,
            campaign_id=campaign_id,
            status=status,
            after=after,
            limit=limit,
        )
        return await _complete(connection, brand_id, rows, Message)


async def to_address(
    database: Database,
    brand_id: UUID,
    *,
    channel: str,
    address: str,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[SentMessage]:
    """Return the messages to an address with all that became of them, the oldest first."""
    async with database.connection(brand_id) as connection:
        rows = await reports.to_address(
            connection,
            brand_id=brand_id,
            channel=channel,
            address=address,
            after=after,
            limit=limit,
        )
        return await _complete(connection, brand_id, rows, SentMessage)


async def _complete(
    connection: asyncpg.Connection,
    brand_id: UUID,
    rows: list[asyncpg.Record],
    kind: type[_Message],
) -> list[_Message]:
    """Put each message's attempts and receipts with it."""
    if not rows:
        return []
    ids = [row["id"] for row in rows]
    tried = await reports.attempts(connection, brand_id=brand_id, message_ids=ids)
    told = await reports.receipts(connection, brand_id=brand_id, message_ids=ids)
    attempts, receipts = _by_message(tried, Attempt), _by_message(told, Receipt)
    return [
        kind(
            **dict(row),
            attempts=tuple(attempts.get(row["id"], ())),
            receipts=tuple(receipts.get(row["id"], ())),
        )
        for row in rows
    ]


def _by_message(rows: list[asyncpg.Record], kind: type[_Fact]) -> dict[UUID, list[_Fact]]:
    found: dict[UUID, list[_Fact]] = {}
    for row in rows:
        fields = {name: value for name, value in row.items() if name != "message_id"}
        found.setdefault(row["message_id"], []).append(kind.model_validate(fields))
    return found
