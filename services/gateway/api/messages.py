"""Messages: one to one person; and what became of any."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.gateway import choose, examples, message_proofs, proof_examples
from services.gateway.errors import wrong_field
from services.gateway.examples import worked
from services.gateway.gate import Gate, Need, check_scope, needs
from services.gateway.house import By, NewId, Parts
from shared.contracts.base import Contract
from shared.contracts.consent import Address, Purpose
from shared.contracts.messages import Content, Message, MessageIn
from shared.contracts.proofs import MessageProof

router = APIRouter(tags=["messages"], route_class=Gate)

_LARGEST = 2**62


class OneMessage(Contract):
    """A message to one person; `channel` is enough where the brand has one account of it."""

    account_id: UUID | None = None
    channel: str | None = None
    address: Address
    purpose: Purpose
    content: Content


@router.post("/v1/messages", **worked(examples.QUEUED, given=examples.MESSAGE_IN, status=201))
@needs("messages:write", creates=True)
async def create_message(message: OneMessage, house: Parts, by: By, message_id: NewId) -> Message:
    """Queue one message to one person. Consent is asked for just before it leaves."""
    if message.content.text is not None and not message.content.text.strip():
        raise wrong_field("/content/text", "This says nothing: write words.")
    account = await choose.account(
        house.database, by.brand_id, account_id=message.account_id, channel=message.channel
    )
    one = MessageIn(
        account_id=account.id,
        address=choose.address(account.channel, message.address),
        purpose=message.purpose,
        content=message.content,
    )
    return await house.dispatcher.put_message(by.brand_id, message_id, one)


@router.get("/v1/messages/{message_id}", **worked(examples.MESSAGE))
@needs("messages:read")
async def get_message(message_id: UUID, house: Parts, by: By) -> Message:
    """Return a message with its attempts and receipts."""
    return await house.dispatcher.get_message(by.brand_id, message_id)


@router.get("/v1/messages/{message_id}/proof", **worked(proof_examples.MESSAGE_PROOF))
@needs("messages:read")
async def get_message_proof(
    message_id: UUID,
    house: Parts,
    by: By,
    size: Annotated[
        int | None,
        Query(ge=1, le=_LARGEST, description="That of a checkpoint you keep; else the newest."),
    ] = None,
) -> MessageProof:
    """Say why this person got this message, or why not: consent, evidence, and proof of both.

    The document verifies offline: `permesso proof verify FILE --key KEY`. It tells what a person
    said, so the key needs `people:read` too. 409 `not_logged_yet` for about a second after a
    consent.
    """
    check_scope(by, Need("people:read", creates=False))
    return await message_proofs.build(house, by.brand_id, message_id, size=size)
