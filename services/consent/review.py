"""The reviews of a brand: what people said that may have been a no, and what became of it."""

from uuid import UUID

import asyncpg

from services.consent.evidence import Halves
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
        halves = await registry.evidences.of(connection, brand_id, map(_person, rows))
    items = tuple(_review(halves, brand_id, row) for row in rows)
    return Reviews(items=items, next=items[-1].seq if len(items) == limit else None)


async def get_review(registry: Registry, *, brand_id: UUID, review_id: UUID) -> Review:
    """Return one review, or a 404."""
    async with registry.database.connection(brand_id) as connection:
        row = await queries.get(connection, brand_id=brand_id, review_id=review_id)
        if row is None:
            raise Problem(404, "unknown_review", "The registry knows no such review of this brand.")
        halves = await registry.evidences.of(connection, brand_id, [_person(row)])
    return _review(halves, brand_id, row)


def _person(row: asyncpg.Record) -> UUID:
    """Return whose words they were: under whose key they are."""
    return UUID(int=row["said_by"].int)


def _review(halves: Halves, brand_id: UUID, row: asyncpg.Record) -> Review:
    sealed = halves.open(
        row["sealed"], person_id=_person(row), brand_id=brand_id, event_id=row["id"]
    )
    told = {name: value for name, value in row.items() if name not in ("sealed", "said_by")}
    status = "open" if row["decided_at"] is None else "decided"
    return Review.model_validate(
        {**told, "status": status, "evidence": sealed.evidence}, strict=False
    )
