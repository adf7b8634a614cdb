"""Persons who are one, and addresses that moved."""

from typing import Annotated

from fastapi import APIRouter, Body

from services.consent import merges, moves
from services.consent.api import examples, merge_examples
from services.consent.api.access import TheRegistry
from services.consent.texts import refuse_nul
from shared.contracts.consent import ConsentRecorded
from shared.contracts.merges import MergeIn, MoveIn, SplitIn

router = APIRouter(tags=["people"])


@router.post("/v1/merges", responses=examples.answers(merge_examples.MERGED))
async def merge(
    registry: TheRegistry, order: Annotated[MergeIn, Body(examples=[merge_examples.MERGE_IN])]
) -> ConsentRecorded:
    """Let two persons be one. A repeat of its `id` changes nothing.

    A no of either holds for both from now on: the answer says in `reaches` what must be halted.
    """
    return await merges.merge(registry, order)


@router.post("/v1/splits", responses=examples.answers(merge_examples.SPLIT))
async def split(
    registry: TheRegistry, order: Annotated[SplitIn, Body(examples=[merge_examples.SPLIT_IN])]
) -> ConsentRecorded:
    """Take a merge back: each has their own addresses again, and every no stays on both."""
    return await merges.split(registry, order)


@router.post("/v1/moves", responses=examples.answers(merge_examples.MOVED))
async def move(
    registry: TheRegistry, order: Annotated[MoveIn, Body(examples=[merge_examples.MOVE_IN])]
) -> ConsentRecorded:
    """Link a new address to a person, without any consent; the old one is out of reach."""
    refuse_nul({"/address": order.address, "/new_address": order.new_address})
    return await moves.move(registry, order)
