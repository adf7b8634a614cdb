"""Reviews: words that may have been a no, until somebody says what they were."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from services.gateway import orders
from services.gateway import review_examples as examples
from services.gateway.errors import wrong_field
from services.gateway.examples import page, worked
from services.gateway.gate import Gate, needs
from services.gateway.house import By, Cursor, Limit, NewId, Parts
from shared import clock
from shared.contracts.base import Contract
from shared.contracts.consent import ConsentEventIn, Evidence
from shared.contracts.reviews import Decision, Review, ReviewStatus
from shared.problems import Problem

router = APIRouter(prefix="/v1/reviews", tags=["reviews"], route_class=Gate)


class ReviewPage(Contract):
    """Reviews, the oldest first."""

    items: tuple[Review, ...]
    next: str | None = None


class DecisionIn(Contract):
    """What the words were."""

    decision: Decision
    """`revoke`: a no. `resume`: no no at all; what was granted before counts again."""
    note: Annotated[str, Field(max_length=1_000)] | None = None
    """Why; it goes into the evidence."""


@router.get("", **worked(page(examples.REVIEW)))
@needs("people:read")
async def list_reviews(
    house: Parts,
    by: By,
    status: Annotated[ReviewStatus | None, Query(description="Only these.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ReviewPage:
    """List doubtful words with their evidence. Marketing to whoever said them is paused.

    What nobody decided by `due_at` becomes a revocation.
    """
    found = await house.consent.list_reviews(
        by.brand_id, status=status, after=_after(cursor), limit=limit
    )
    following = None if found.next is None else str(found.next)
    return ReviewPage(items=found.items, next=following)


@router.post("/{review_id}", **worked(examples.DECIDED, given=examples.DECISION))
@needs("consents:write", creates=True)
async def decide_review(
    review_id: UUID, decision: DecisionIn, house: Parts, by: By, event_id: NewId
) -> Review:
    """Say what the words were; it holds when this answers. 409 `decided_before` if somebody did."""
    review = await house.consent.get_review(by.brand_id, review_id)
    if review.status == "decided":
        raise _decided()
    event = ConsentEventIn(
        id=event_id,
        brand_id=by.brand_id,
        action=decision.decision,
        account_id=review.account_id,
        address=review.address,
        scope=review.scope,
        review_id=review_id,
        evidence=Evidence(
            source="review", at=clock.now(), rule=f"key:{by.key_id}", note=decision.note
        ),
    )
    result = await orders.carry_out(house.intake, house.inbox, event)
    if result.reason in ("decided_before", "not_paused"):
        raise _decided()
    return await house.consent.get_review(by.brand_id, review_id)


def _decided() -> Problem:
    return Problem(409, "decided_before", "It was decided before; GET /v1/reviews tells how.")


def _after(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or int(cursor) >= 1 << 63:
        raise wrong_field("/query/cursor", "This is not a `next` of ours.")
    return int(cursor)
