"""Forgetting: an erased person's messages and events tell nothing of them any more."""

from fastapi import APIRouter

from services.dispatcher.api.parameters import TheDesk
from services.dispatcher.forgetting import forget
from shared.contracts.forgetting import Forget, Forgotten

router = APIRouter(tags=["people"])


@router.post("/v1/forgetting")
async def order(desk: TheDesk, wanted: Forget) -> Forgotten:
    """Forget a person at these accounts and addresses. Repeat until it is settled."""
    return await forget(desk.database, wanted)
