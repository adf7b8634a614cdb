"""Receipts of what people said."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from services.consent import receipts
from services.consent.api.access import TheRegistry
from services.consent.api.examples import answers
from shared.contracts.receipts import SignedReceipt

router = APIRouter(tags=["people"])

_BRAND = "0192f0c1-2a3b-7c4d-8e5f-60718293a4b5"
_EVENT = "0192f0c5-5e21-7d30-b1c2-d3e4f5a6b7c8"
_RECEIPT: dict[str, Any] = {
    "receipt": {
        "schema_version": "permesso/receipt/1",
        "record_id": _EVENT,
        "issued_at": "2026-11-22T18:31:00Z",
        "controller": {"id": _BRAND, "name": "Caffè Aurora", "country": "IT"},
        "data_subject": "0192f0c4-0d9a-7f11-8a2b-3c4d5e6f7a8b",
        "processing": [{"purpose": "marketing", "legal_basis": "consent"}],
        "event": {
            "action": "grant",
            "state": "granted",
            "scope": "purpose",
            "channel": "telegram",
            "account_id": "0192f0c1-7b1e-7a52-9c0d-1e2f3a4b5c6d",
            "address": "123•••789",
            "recorded_at": "2026-11-22T09:00:00Z",
            "source": "telegram.start",
        },
        "notice": {"wording": "Yes, write to me about new roasts.", "version": "2026-10"},
        "withdrawal": receipts.WITHDRAWAL,
        "ledger": {"log": f"permesso.local/ledger/{_BRAND}", "seq": 4711, "leaf": 0},
    },
    "jws": "eyJhbGciOiJFZERTQSJ9.eyJzY2hlbWFfdmVyc2lvbiI6Im9uZSJ9.c2lnbmF0dXJl",
    "key": f"permesso.local/ledger/{_BRAND}+1b2c3d4e+AVdKlcDIDIlLjZQ5tJr7kYz4kq7Vg5mNp2A0W8Xc3eFh",
}


@router.get("/v1/brands/{brand_id}/events/{event_id}/receipt", responses=answers(_RECEIPT))
async def receipt(registry: TheRegistry, brand_id: UUID, event_id: UUID) -> SignedReceipt:
    """Return the receipt of an event, signed; 410 once its person was erased."""
    return await receipts.make(registry, brand_id, event_id)
