"""Erasure: nothing leads to a person any more, and their no still holds."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body

from services.consent import erasure
from services.consent.api.access import TheRegistry
from services.consent.api.examples import answers
from shared.contracts.erasures import Erased, EraseIn

router = APIRouter(tags=["people"])

_ID = "0192f0e1-4c2d-7b3e-9f40-51627384a5b6"
_ERASE: dict[str, Any] = {"id": _ID, "by": "brand"}
_ERASED: dict[str, Any] = {
    "id": _ID,
    "person_id": "0192f0c4-0d9a-7f11-8a2b-3c4d5e6f7a8b",
    "seq": 4720,
    "erased_at": "2026-11-23T08:00:00Z",
}


@router.post("/v1/brands/{brand_id}/people/{person_id}/erasure", responses=answers(_ERASED))
async def erase(
    registry: TheRegistry,
    brand_id: UUID,
    person_id: UUID,
    order: Annotated[EraseIn, Body(examples=[_ERASE])],
) -> Erased:
    """Erase a person: their key, identities, addresses and states. Repeat as you like."""
    return await erasure.erase(registry, brand_id, person_id, order)
