"""Statements about accounts and the routes of their webhooks."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.gateway.tables import Account

_PUT_ROUTE = text(
    "INSERT INTO gateway.route (account_id, brand_id, channel, secret)"
    " VALUES (:account_id, :brand_id, :channel, :secret)"
    " ON CONFLICT (account_id) DO UPDATE SET secret = excluded.secret"
    " WHERE gateway.route.brand_id = excluded.brand_id"
)
_DROP_ROUTE = text(
    "DELETE FROM gateway.route WHERE account_id = :account_id AND brand_id = :brand_id"
)
_ROUTES = (
    "SELECT account_id, brand_id, channel, secret FROM gateway.route"
    " WHERE account_id = ANY($1::uuid[])"
)


_OF_CHANNELS = """
SELECT id, channel FROM gateway.account WHERE brand_id = $1 AND channel = ANY ($2::text[])
"""


async def of_channels(
    connection: asyncpg.Connection, brand_id: UUID, channels: Sequence[str]
) -> list[tuple[UUID, str]]:
    """Return (account, channel) of all that a brand ever had there, deleted ones too."""
    return [tuple(row) for row in await connection.fetch(_OF_CHANNELS, brand_id, channels)]


async def put(session: AsyncSession, account: Account) -> None:
    """Store an account; a repeat changes nothing."""
    await session.execute(insert(Account).values(account.model_dump()).on_conflict_do_nothing())


async def put_route(
    session: AsyncSession, *, account_id: UUID, brand_id: UUID, channel: str, secret: bytes
) -> None:
    """Let an account's webhooks in, from now on with this (sealed) secret."""
    await session.execute(
        _PUT_ROUTE,
        {
            "account_id": account_id,
            "brand_id": brand_id,
            "channel": channel,
            "secret": secret,
        },
    )


async def drop_route(session: AsyncSession, *, account_id: UUID, brand_id: UUID) -> None:
    """Let an account's webhooks in no more."""
    await session.execute(_DROP_ROUTE, {"account_id": account_id, "brand_id": brand_id})


async def routes(
    connection: asyncpg.Connection, account_ids: Sequence[UUID]
) -> list[asyncpg.Record]:
    """Find whose these accounts are, before their brand can be known."""
    return list(await connection.fetch(_ROUTES, account_ids))


async def get(session: AsyncSession, brand_id: UUID, account_id: UUID) -> Account | None:
    """Find an account of this brand that was not deleted."""
    return await session.scalar(
        select(Account).where(
            col(Account.brand_id) == brand_id,
            col(Account.id) == account_id,
            col(Account.deleted_at).is_(None),
        )
    )


async def of_channel(
    session: AsyncSession, brand_id: UUID, channel: str, *, limit: int = 2
) -> Sequence[Account]:
    """Return the brand's accounts of a channel; two are enough to know that it is not one."""
    return (
        await session.scalars(
            select(Account)
            .where(
                col(Account.brand_id) == brand_id,
                col(Account.channel) == channel,
                col(Account.deleted_at).is_(None),
            )
            .limit(limit)
        )
    ).all()


async def page(
    session: AsyncSession, brand_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[Account]:
    """List the brand's accounts by id."""
    statement = (
        select(Account)
        .where(col(Account.brand_id) == brand_id, col(Account.deleted_at).is_(None))
        .order_by(col(Account.id))
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(col(Account.id) > after)
    return (await session.scalars(statement)).all()


async def change(
    session: AsyncSession, brand_id: UUID, account_id: UUID, values: dict[str, object]
) -> None:
    """Change the name or the settings."""
    await session.execute(
        update(Account)
        .where(col(Account.brand_id) == brand_id, col(Account.id) == account_id)
        .values(values)
    )


async def delete(session: AsyncSession, brand_id: UUID, account_id: UUID, *, now: datetime) -> None:
    """Mark as deleted: what its people said stays, and it goes on to mean something."""
    await change(session, brand_id, account_id, {"deleted_at": now})
