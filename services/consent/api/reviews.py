"""Doubtful words that wait for a decision; it comes as an event of the person, with `review_id`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.consent import review
from services.consent.api import examples, review_examples
from services.consent.api.access import TheRegistry
from shared.contracts.reviews import Review, Reviews, ReviewStatus

router = APIRouter(tags=["reviews"])

LARGEST = 2**63 - 1


@router.get("/v1/brands/{brand_id}/reviews", responses=examples.answers(review_examples.REVIEWS))
async def list_reviews(
    registry: TheRegistry,
    brand_id: UUID,
    status: Annotated[ReviewStatus | None, Query(description="Only these.")] = None,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="The last `seq` seen.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> Reviews:
    """Return a brand's reviews in the ledger's order, with the words that are in doubt."""
    return await review.list_reviews(
        registry, brand_id=brand_id, status=status, after=after, limit=limit
    )


@router.get(
    "/v1/brands/{brand_id}/reviews/{review_id}",
    responses=examples.answers(review_examples.REVIEW),
)
async def get_review(registry: TheRegistry, brand_id: UUID, review_id: UUID) -> Review:
    """Return one review."""
    return await review.get_review(registry, brand_id=brand_id, review_id=review_id)
