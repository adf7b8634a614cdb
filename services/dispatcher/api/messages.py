"""Single messages, and the story of any message."""

from uuid import UUID

from fastapi import APIRouter, Response

from services.dispatcher import reports, singles
from services.dispatcher.api.parameters import TheDesk, same_id
from shared.contracts.campaigns import HouseMessage, Message, MessageIn
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


@router.get("/{message_id}")
async def read(desk: TheDesk, brand_id: UUID, message_id: UUID) -> Message:
    """Return a message with its attempts and receipts."""
    return await reports.read(desk.database, brand_id, message_id)


@router.get("/{message_id}/content")
async def read_content(desk: TheDesk, brand_id: UUID, message_id: UUID) -> SentContent:
    """Return what a message says: the platform's calls, frozen when it was made."""
    return await reports.read_content(desk.database, brand_id, message_id)
