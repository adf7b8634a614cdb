"""Tell of messages: where each is, and how it came there."""

from uuid import UUID

import asyncpg

from services.dispatcher.queries import reports
from shared.contracts.campaigns import Attempt, Message, Receipt
from shared.database import Database


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
    key = {"brand_id": brand_id, "message_id": message_id}
    attempts = await reports.attempts(connection, **key)
    receipts = await reports.receipts(connection, **key)
    fields = {name: value for name, value in row.items() if name != "day"}
    return Message(
        **fields,
        attempts=tuple(Attempt.model_validate(dict(each)) for each in attempts),
        receipts=tuple(Receipt.model_validate(dict(each)) for each in receipts),
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
    """Return a campaign's messages by account and address, without attempts and receipts."""
    async with database.connection(brand_id) as connection:
        rows = await reports.page(
            connection,
            brand_id=brand_id,
            campaign_id=campaign_id,
            status=status,
            after=after,
            limit=limit,
        )
    return [Message.model_validate(dict(row)) for row in rows]
