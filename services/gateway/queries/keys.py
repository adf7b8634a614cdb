"""Statements about brands and their API keys."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.gateway.tables import ApiKey, Brand


async def put_brand(session: AsyncSession, brand: Brand) -> None:
    """Store a brand; a repeat changes nothing."""
    await session.execute(insert(Brand).values(brand.model_dump()).on_conflict_do_nothing())


async def put_key(session: AsyncSession, key: ApiKey) -> None:
    """Store a key. A repeat has another secret, and only the last one was ever shown."""
    statement = insert(ApiKey).values(key.model_dump())
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[col(ApiKey.id)],
            set_={"digest": statement.excluded.digest},
            where=col(ApiKey.brand_id) == key.brand_id,
        )
    )


async def find_key(session: AsyncSession, key_id: UUID) -> ApiKey | None:
    """Find a key, whoever it belongs to: this is how one finds out."""
    return await session.get(ApiKey, key_id)


async def find_brand(session: AsyncSession, brand_id: UUID) -> Brand | None:
    """Return a brand, for the pages of its people."""
    return await session.get(Brand, brand_id)


async def brands(session: AsyncSession, *, after: UUID | None, limit: int) -> Sequence[Brand]:
    """List all brands by id, for the operator."""
    statement = select(Brand).order_by(col(Brand.id)).limit(limit)
    if after is not None:
        statement = statement.where(col(Brand.id) > after)
    return (await session.scalars(statement)).all()


async def keys(
    session: AsyncSession, brand_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[ApiKey]:
    """List a brand's keys by id, but those that were revoked."""
    statement = (
        select(ApiKey)
        .where(col(ApiKey.brand_id) == brand_id, col(ApiKey.revoked_at).is_(None))
        .order_by(col(ApiKey.id))
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(col(ApiKey.id) > after)
    return (await session.scalars(statement)).all()


async def revoke_key(session: AsyncSession, brand_id: UUID, key_id: UUID, *, now: datetime) -> bool:
    """End a key of this brand and say whether there was one."""
    statement = (
        update(ApiKey)
        .where(
            col(ApiKey.brand_id) == brand_id,
            col(ApiKey.id) == key_id,
            col(ApiKey.revoked_at).is_(None),
        )
        .values(revoked_at=now)
        .returning(col(ApiKey.id))
    )
    return await session.scalar(statement) is not None


async def mark_used(session: AsyncSession, used: Mapping[UUID, datetime]) -> None:
    """Note when keys were last used; the later time wins."""
    for key_id, at in sorted(used.items()):
        await session.execute(
            update(ApiKey)
            .where(col(ApiKey.id) == key_id)
            .values(last_used_at=func.greatest(func.coalesce(col(ApiKey.last_used_at), at), at))
        )
