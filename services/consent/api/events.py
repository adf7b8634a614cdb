"""Record what people and brands say."""

from typing import Annotated

from fastapi import APIRouter, Body

from services.consent import record as recording
from services.consent.api import examples
from services.consent.api.access import TheRegistry
from services.consent.texts import refuse_nul
from shared.contracts.consent import ConsentEventIn, ConsentRecorded

router = APIRouter(tags=["events"])


@router.post("/v1/events", status_code=200, responses=examples.answers(examples.RECORDED))
async def record(
    registry: TheRegistry,
    event: Annotated[ConsentEventIn, Body(openapi_examples=examples.EVENTS)],
) -> ConsentRecorded:
    """Record an event. It holds when the answer comes, and a repeat of its `id` changes nothing.

    The answer to a revocation says in `reaches` where it holds: what must be halted. The answer's
    `seq` is the order of the ledger, and 0 for a sight of a person who was known before.
    """
    refuse_nul({"/address": event.address})
    return await recording.record(registry, event)
