"""The question whether to go on, for whoever carries it to the person."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body

from services.consent import refreshing
from services.consent.api.access import TheRegistry
from services.consent.api.examples import answers
from shared.contracts.refreshes import Refresh, RefreshIn

router = APIRouter(tags=["events"])

_REFRESH = "0192f0c5-5e21-7d30-b1c2-d3e4f5a6b7d0"
_REFRESH_IN = {"message_id": "0192f0c5-5e21-7e41-9c0d-1e2f3a4b5c6e"}
_ASKED: dict[str, Any] = {
    "id": _REFRESH,
    "account_id": "0192f0c1-7b1e-7a52-9c0d-1e2f3a4b5c6d",
    "address": "123456789",
    "person_id": "0192f0c4-0d9a-7f11-8a2b-3c4d5e6f7a8b",
    "purpose": "marketing",
    "language": "en",
    "words": "On 22 November 2026 you said yes to marketing messages from Caffè Aurora here; that"
    " is good until 21 November 2028. To go on receiving them, answer yes below or write START. If"
    " you do not answer, you will receive none after that; to stop them now, write STOP.",
    "question": {
        "id": "0192f0c5-5e21-7a01-8b12-c3d4e5f60718",
        "yes": "Yes, please",
        "no": "No, thanks",
    },
}


@router.post("/v1/brands/{brand_id}/refreshes/{event_id}/question", responses=answers(_ASKED))
async def ask(
    registry: TheRegistry,
    brand_id: UUID,
    event_id: UUID,
    order: Annotated[RefreshIn, Body(examples=[_REFRESH_IN])],
) -> Refresh:
    """Serve the question, while the consent holds: else 409 `refresh_over`. May be repeated."""
    return await refreshing.ask(registry, brand_id, event_id, message_id=order.message_id)
