"""Tell those who follow what became true, in order, leaving nothing out."""

import asyncio
from base64 import b64encode
from collections import defaultdict
from uuid import UUID

import asyncpg

from services.consent.queries import feed as queries
from services.consent.registry import Registry
from shared.clock import ticks
from shared.contracts.consent import Feed, FeedItem

_ARRANGED_AT_ONCE = 5_000
_LOOK_AGAIN = 0.25
"""Seconds until a waiting follower looks for what other processes have recorded."""


async def follow(registry: Registry, *, after: int, limit: int, wait: float) -> Feed:
    """Return what comes after a cursor; while there is nothing, wait up to so many seconds."""
    deadline = ticks() + wait
    while True:
        ring = registry.bell.next_ring
        items = await _read(registry, after=after, limit=limit)
        left = deadline - ticks()
        if items or left <= 0:
            return Feed(items=tuple(items), cursor=items[-1].cursor if items else after)
        try:
            async with asyncio.timeout(min(left, _LOOK_AGAIN)):
                await ring.wait()
        except TimeoutError:
            continue


async def _read(registry: Registry, *, after: int, limit: int) -> list[FeedItem]:
    async with registry.database.connection() as connection:
        await queries.arrange(connection, limit=_ARRANGED_AT_ONCE)
    async with registry.database.connection() as connection:
        rows = await queries.read(connection, after=after, limit=limit)
    by_brand: dict[UUID, list[UUID]] = defaultdict(list)
    for row in rows:
        by_brand[row["brand_id"]].append(row["event_id"])
    found: dict[UUID, asyncpg.Record] = {}
    for brand_id, ids in by_brand.items():
        async with registry.database.connection(brand_id) as connection:
            events = await queries.details(connection, brand_id=brand_id, event_ids=ids)
            heads = []
            if len(events) < len(ids):
                heads = await queries.checkpoints(connection, brand_id=brand_id, ids=ids)
        found.update((each["id"], each) for each in (*events, *heads))
    return [
        (_head if row["type"] == "ledger.checkpoint" else _item)(row, found[row["event_id"]])
        for row in rows
    ]


def _head(row: asyncpg.Record, checkpoint: asyncpg.Record) -> FeedItem:
    return FeedItem(
        cursor=row["cursor"],
        brand_id=row["brand_id"],
        event_id=row["event_id"],
        type=row["type"],
        at=checkpoint["at"],
        data={
            "size": checkpoint["size"],
            "root": b64encode(checkpoint["root"]).decode(),
            "note": checkpoint["note"],
        },
    )


def _item(row: asyncpg.Record, event: asyncpg.Record) -> FeedItem:
    expires_at = event["expires_at"]
    return FeedItem(
        cursor=row["cursor"],
        brand_id=row["brand_id"],
        event_id=row["event_id"],
        type=row["type"],
        at=event["recorded_at"],
        data={
            "person_id": str(event["person_id"]),
            "account_id": str(event["account_id"]),
            "channel": event["channel"],
            "address": event["address"],
            "purposes": event["purposes"],
            "scope": event["held_scope"],
            "reason": event["reason"],
            "expires_at": expires_at.isoformat() if expires_at else None,
            "consent_event_id": str(event["id"]),
        },
    )
