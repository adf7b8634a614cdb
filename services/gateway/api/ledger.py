"""The brand's signed log of consents: for those who would rather verify than believe."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.gateway import ledger_examples as examples
from services.gateway.examples import page, worked
from services.gateway.gate import Gate, needs
from services.gateway.house import By, Limit, Parts
from shared.contracts.ledger import LogCheckpoint, LogConsistency, LogEntries, LogProof

router = APIRouter(prefix="/v1/ledger", tags=["ledger"], route_class=Gate)

_LARGEST = 2**62
Size = Annotated[
    int, Query(ge=1, le=_LARGEST, description="That of a checkpoint you keep; else the newest.")
]
Number = Annotated[int, Query(ge=0, le=_LARGEST)]


@router.get("/checkpoint", **worked(examples.LOG_CHECKPOINT))
@needs("consents:read")
async def get_ledger_checkpoint(house: Parts, by: By, size: Size | None = None) -> LogCheckpoint:
    """Return the signed head of the log. Keep it: whatever comes later has to extend it."""
    return await house.consent.checkpoint(by.brand_id, size=size)


@router.get("/entries", **worked(page(examples.LOG_ENTRY)))
@needs("consents:read")
async def list_ledger_entries(
    house: Parts,
    by: By,
    begin: Annotated[Number, Query(alias="from", description="The first number.")] = 0,
    end: Annotated[Number | None, Query(alias="to", description="Up to, not with.")] = None,
    limit: Limit = 50,
) -> LogEntries:
    """List the log's entries in its order; `next` is the number to go on with in `from`."""
    return await house.consent.log_entries(by.brand_id, begin=begin, end=end, limit=limit)


@router.get("/proofs/{consent_event_id}", **worked(examples.LOG_PROOF))
@needs("consents:read")
async def get_ledger_proof(
    consent_event_id: UUID, house: Parts, by: By, size: Size | None = None
) -> LogProof:
    """Prove that a consent is in the log. 409 `not_logged_yet` for about a second after it."""
    return await house.consent.prove(by.brand_id, consent_event_id, size=size)


@router.get("/consistency", **worked(examples.LOG_CONSISTENCY))
@needs("consents:read")
async def get_ledger_consistency(
    house: Parts,
    by: By,
    old: Annotated[int, Query(alias="from", ge=1, le=_LARGEST)],
    new: Annotated[int, Query(alias="to", ge=1, le=_LARGEST)],
) -> LogConsistency:
    """Prove that the log of `to` events begins with the very one of `from` events."""
    return await house.consent.compare(by.brand_id, old=old, new=new)
