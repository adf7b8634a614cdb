"""Tell those who follow what became true, in order, leaving nothing out."""

import asyncio
from base64 import b64encode
from collections import defaultdict
from collections.abc import Mapping
from uuid import UUID

import asyncpg
import structlog

from services.consent.queries import feed as queries
from services.consent.registry import Registry
from shared.clock import ticks
from shared.contracts.consent import Feed, FeedItem

log = structlog.get_logger()

_ARRANGED_AT_ONCE = 5_000
_LOOK_AGAIN = 0.25
"""Seconds until a waiting follower looks for what other processes have recorded."""


async def follow(registry: Registry, *, after: int, limit: int, wait: float) -> Feed:
    """Return what comes after a cursor; while there is nothing, wait up to so many seconds."""
    deadline = ticks() + wait
    while True:
        ring = registry.bell.next_ring
        feed = await _read(registry, after=after, limit=limit)
        left = deadline - ticks()
        if feed.cursor > after or left <= 0:
            return feed
        try:
            async with asyncio.timeout(min(left, _LOOK_AGAIN)):
                await ring.wait()
        except TimeoutError:
            continue


async def _read(registry: Registry, *, after: int, limit: int) -> Feed:
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
    return Feed(
        items=tuple(_told(row, found[row["event_id"]]) for row in rows if _is_there(row, found)),
        cursor=rows[-1]["cursor"] if rows else after,
    )


def _is_there(row: asyncpg.Record, found: Mapping[UUID, asyncpg.Record]) -> bool:
    """Say whether the ledger has what the feed tells of; a line that is gone stops nobody else."""
    if row["event_id"] in found:
        return True
    log.error("feed.line_missing", brand=row["brand_id"], event_id=row["event_id"])
    return False


def _told(row: asyncpg.Record, event: asyncpg.Record) -> FeedItem:
    return (_head if row["type"] == "ledger.checkpoint" else _item)(row, event)


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
