"""Erasure: a person is forgotten, and their no still holds."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Response

from services.gateway import erasures
from services.gateway.api.consents import wants_async
from services.gateway.erasure_examples import ERASURE
from services.gateway.examples import worked
from services.gateway.gate import Gate, needs
from services.gateway.house import By, Parts
from shared.contracts.base import Contract

router = APIRouter(tags=["people"], route_class=Gate)


class ErasureOut(Contract):
    """What became of it."""

    id: UUID
    """The line of the ledger, for `/v1/ledger/proofs/{id}`; it tells nothing of the person."""
    person_id: UUID
    state: Literal["erased", "accepted"]
    """`accepted`: stored, and on its way to be done (`Prefer: respond-async`)."""
    seq: int | None = None
    erased_at: datetime | None = None


@router.delete("/v1/people/{person_id}", **worked(ERASURE))
@needs("people:write", creates=True)
async def erase_person(
    person_id: UUID,
    house: Parts,
    by: By,
    response: Response,
    prefer: Annotated[
        str | None, Header(description="`respond-async`: answer when the order is stored.")
    ] = None,
) -> ErasureOut:
    """Erase a person: 200 says that nothing leads to them any more, and that it cannot be undone.

    Nothing more is sent to them. Their addresses, words, evidence, tags and attributes are gone;
    the ledger keeps its lines, whose personal half nobody can open. A list that names them again
    brings them no consent; only they themselves can begin anew. What you were called back about
    before is yours to delete.
    """
    if wants_async(prefer):
        await house.consent.get_person(by.brand_id, person_id)
        order_id = await erasures.put_in(house, by.brand_id, person_id, "brand")
        response.status_code = 202
        response.headers["Preference-Applied"] = "respond-async"
        return ErasureOut(id=order_id, person_id=person_id, state="accepted")
    erased = await erasures.carry_out(house, by.brand_id, person_id, "brand")
    return ErasureOut(
        id=erased.id,
        person_id=person_id,
        state="erased",
        seq=erased.seq,
        erased_at=erased.erased_at,
    )
