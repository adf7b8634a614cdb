"""The signed log of each brand: what it holds, and proofs of it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Query

from services.consent import dossier, proofs
from services.consent.api import examples, proof_examples
from services.consent.api.access import TheRegistry
from services.consent.api.feed import LARGEST
from shared.contracts.ledger import LogCheckpoint, LogConsistency, LogEntries, LogProof
from shared.contracts.proofs import Dossier, Statement, StatementIn

router = APIRouter(prefix="/v1/brands/{brand_id}/ledger", tags=["ledger"])

_LARGEST = LARGEST - 1_000
"""So that a page after it is still a number that PostgreSQL knows."""
Size = Annotated[int, Query(ge=1, le=_LARGEST)]


@router.get("/checkpoint", responses=examples.answers(examples.CHECKPOINT))
async def checkpoint(
    registry: TheRegistry, brand_id: UUID, size: Size | None = None
) -> LogCheckpoint:
    """Return the newest signed head of the brand's log, or the one that was signed at a size."""
    return await proofs.checkpoint(registry, brand_id, size=size)


@router.get("/entries", responses=examples.answers(examples.ENTRIES))
async def entries(
    registry: TheRegistry,
    brand_id: UUID,
    begin: Annotated[int, Query(alias="from", ge=0, le=_LARGEST)] = 0,
    end: Annotated[int | None, Query(alias="to", ge=0, le=_LARGEST)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> LogEntries:
    """Return the log's entries from number `from` to before `to`, in its order."""
    return await proofs.read(registry, brand_id, begin=begin, end=end, limit=limit)


@router.get("/proofs/{event_id}", responses=examples.answers(examples.PROOF))
async def proof(
    registry: TheRegistry, brand_id: UUID, event_id: UUID, size: Size | None = None
) -> LogProof:
    """Prove that an event is in the log: under its newest checkpoint, or the one of a size."""
    return await proofs.prove(registry, brand_id, event_id, size=size)


@router.get("/dossiers/{event_id}", responses=examples.answers(proof_examples.DOSSIER))
async def evidence(
    registry: TheRegistry, brand_id: UUID, event_id: UUID, size: Size | None = None
) -> Dossier:
    """Prove an event with its evidence opened, and the events that its evidence names."""
    return await dossier.collect(registry, brand_id, event_id, size=size)


@router.post("/statements", responses=examples.answers(proof_examples.STATEMENT))
async def state(
    registry: TheRegistry,
    brand_id: UUID,
    statement: Annotated[StatementIn, Body(examples=[proof_examples.STATEMENT_IN])],
) -> Statement:
    """Sign a document's hash with the log's key. The text can be taken for no checkpoint."""
    return dossier.state(registry, brand_id, statement)


@router.get("/consistency", responses=examples.answers(examples.CONSISTENCY))
async def consistency(
    registry: TheRegistry,
    brand_id: UUID,
    old: Annotated[int, Query(alias="from", ge=1, le=_LARGEST)],
    new: Annotated[int, Query(alias="to", ge=1, le=_LARGEST)],
) -> LogConsistency:
    """Prove that the log of `to` events begins with the very one of `from` events."""
    return await proofs.compare(registry, brand_id, old=old, new=new)
