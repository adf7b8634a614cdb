"""Single messages, and the story of any message."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.dispatcher import reports, singles
from services.dispatcher.api.parameters import (
    MOST,
    Cursor,
    Limit,
    Page,
    TheDesk,
    page_of,
    read_cursor,
    same_id,
    wrong_cursor,
)
from shared.contracts.consent import Address
from shared.contracts.exports import SentMessage
from shared.contracts.messages import HouseMessage, Message, MessageIn
from shared.contracts.proofs import SentContent

router = APIRouter(prefix="/v1/brands/{brand_id}/messages", tags=["messages"])


@router.put("/{message_id}", responses={201: {"model": Message, "description": "It is new."}})
async def put(
    desk: TheDesk,
    brand_id: UUID,
    message_id: UUID,
    wanted: MessageIn | HouseMessage,
    response: Response,
) -> Message:
    """Queue one message to one person under its id; a repeat changes nothing."""
    if isinstance(wanted, HouseMessage):
        same_id(message_id, wanted.id, name="id")
    message, new = await singles.put(desk, brand_id, message_id, wanted)
    response.status_code = 201 if new else 200
    return message


@router.get("")
async def page(
    desk: TheDesk,
    brand_id: UUID,
    channel: Annotated[str, Query(min_length=1, max_length=40)],
    address: Annotated[Address, Query()],
    cursor: Cursor = None,
    limit: Limit = MOST,
) -> Page[SentMessage]:
    """Return the messages to one address of a channel with what they say, the oldest first."""
    found = await reports.to_address(
        desk.database,
        brand_id,
        channel=channel,
        address=address,
        after=_place(cursor),
        limit=limit + 1,
    )
    return page_of(found, limit, lambda message: [message.created_at, message.id])


@router.get("/{message_id}")
async def read(desk: TheDesk, brand_id: UUID, message_id: UUID) -> Message:
    """Return a message with its attempts and receipts."""
    return await reports.read(desk.database, brand_id, message_id)


@router.get("/{message_id}/content")
async def read_content(desk: TheDesk, brand_id: UUID, message_id: UUID) -> SentContent:
    """Return what a message says: the platform's calls, frozen when it was made."""
    return await reports.read_content(desk.database, brand_id, message_id)


def _place(cursor: str | None) -> tuple[datetime, UUID] | None:
    match read_cursor(cursor):
        case None:
            return None
        case [str(created_at), str(message_id)]:
            try:
                moment = datetime.fromisoformat(created_at)
                place = moment, UUID(message_id)
            except ValueError as error:
                raise wrong_cursor() from error
            if moment.tzinfo is None:
                raise wrong_cursor()
            return place
        case _:
            raise wrong_cursor()
