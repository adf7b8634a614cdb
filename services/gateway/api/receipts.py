"""Receipts of what people said: signed, for the person, and for whoever asks for proof."""

from uuid import UUID

from fastapi import APIRouter

from services.gateway.examples import worked
from services.gateway.gate import Gate, needs
from services.gateway.house import By, Parts
from services.gateway.receipt_examples import RECEIPT
from shared.contracts.receipts import SignedReceipt

router = APIRouter(tags=["consents"], route_class=Gate)


@router.get("/v1/consents/{consent_event_id}/receipt", **worked(RECEIPT))
@needs("people:read")
async def get_receipt(consent_event_id: UUID, house: Parts, by: By) -> SignedReceipt:
    """Return the receipt of a consent, with the fields of ISO/IEC TS 27560, signed.

    `permesso receipt verify` checks `jws` against `key` without asking us. 410 once the person was
    erased: then nobody can say any more what the record was about.
    """
    return await house.consent.receipt(by.brand_id, consent_event_id)
