"""Receipts: platforms' later words."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from services.dispatcher import receipts
from services.dispatcher.api.parameters import TheDesk
from shared.contracts.base import Contract
from shared.contracts.messages import ReceiptIn

router = APIRouter(tags=["receipts"])


class ReceiptsIn(Contract):
    """Some receipts of one brand's accounts."""

    items: Annotated[tuple[ReceiptIn, ...], Field(max_length=1_000)]


@router.post("/v1/brands/{brand_id}/receipts", status_code=202)
async def take(desk: TheDesk, brand_id: UUID, came: ReceiptsIn) -> Response:
    """Keep receipts, and move their messages on; a repeat changes nothing."""
    await receipts.take(desk.database, brand_id, came.items)
    return Response(status_code=202)
