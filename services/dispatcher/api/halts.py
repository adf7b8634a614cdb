"""Halts: stop everything for some people, and know when it has stopped."""

from fastapi import APIRouter

from services.dispatcher.api.parameters import TheDesk
from services.dispatcher.halt import halt
from shared.contracts.halts import Halt, Halted

router = APIRouter(tags=["halts"])


@router.post("/v1/halts")
async def order(desk: TheDesk, wanted: Halt) -> Halted:
    """Cancel what waits for these keys and wait for what flies, `wait_seconds` at most."""
    return await halt(desk.database, wanted)
