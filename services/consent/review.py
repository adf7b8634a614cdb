"""The reviews of a brand: what people said that may have been a no, and what became of it."""

from uuid import UUID

import asyncpg

from services.consent.queries import reviews as queries
from services.consent.registry import Registry
from shared.contracts.reviews import Review, Reviews, ReviewStatus
from shared.problems import Problem


async def list_reviews(
    registry: Registry, *, brand_id: UUID, status: ReviewStatus | None, after: int, limit: int
) -> Reviews:
    """Return reviews with the words in question, in the ledger's order."""
    is_open = None if status is None else status == "open"
    async with registry.database.connection(brand_id) as connection:
        rows = await queries.listed(
            connection, brand_id=brand_id, after=after, is_open=is_open, limit=limit
        )
    items = tuple(_review(registry, brand_id, row) for row in rows)
    return Reviews(items=items, next=items[-1].seq if len(items) == limit else None)


async def get_review(registry: Registry, *, brand_id: UUID, review_id: UUID) -> Review:
    """Return one review, or a 404."""
    async with registry.database.connection(brand_id) as connection:
        row = await queries.get(connection, brand_id=brand_id, review_id=review_id)
    if row is None:
        raise Problem(404, "unknown_review", "The registry knows no such review of this brand.")
    return _review(registry, brand_id, row)


def _review(registry: Registry, brand_id: UUID, row: asyncpg.Record) -> Review:
    sealed = registry.evidences.open(row["sealed"], brand_id=brand_id, event_id=row["id"])
    told = {name: value for name, value in row.items() if name != "sealed"}
    status = "open" if row["decided_at"] is None else "decided"
    return Review.model_validate(
        {**told, "status": status, "evidence": sealed.evidence}, strict=False
    )
