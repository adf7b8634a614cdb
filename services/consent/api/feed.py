"""What became true, for those who tell others about it."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.consent import feed
from services.consent.api import examples
from services.consent.api.access import TheRegistry
from shared.contracts.feed import Feed

router = APIRouter(tags=["feed"])

LARGEST = 2**63 - 1


@router.get("/v1/feed", responses=examples.answers(examples.FEED))
async def follow(
    registry: TheRegistry,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="The last cursor seen.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 500,
    wait: Annotated[float, Query(ge=0, le=20, allow_inf_nan=False)] = 0,
) -> Feed:
    """Return items of all brands in order; `wait` holds the answer while there is nothing.

    Following `cursor` misses nothing and repeats nothing, whatever commits in the meantime.
    """
    return await feed.follow(registry, after=after, limit=limit, wait=wait)
