"""Tell those who follow what became true, in order, leaving nothing out."""

import asyncio
from base64 import b64encode
from collections import defaultdict
from collections.abc import Mapping
from uuid import UUID

import asyncpg
import structlog

from services.consent.evidence import Halves
from services.consent.queries import feed as queries
from services.consent.registry import Registry
from shared.clock import ticks
from shared.contracts.feed import Feed, FeedItem

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
    halves: dict[UUID, Halves] = {}
    for brand_id, ids in by_brand.items():
        async with registry.database.connection(brand_id) as connection:
            events = await queries.details(connection, brand_id=brand_id, event_ids=ids)
            heads = []
            if len(events) < len(ids):
                heads = await queries.checkpoints(connection, brand_id=brand_id, ids=ids)
            people = {each["person_id"] for each in events}
            halves[brand_id] = await registry.evidences.of(connection, brand_id, people)
        found.update((each["id"], each) for each in (*events, *heads))
    return Feed(
        items=tuple(
            _told(row, found[row["event_id"]], halves[row["brand_id"]])
            for row in rows
            if _is_there(row, found)
        ),
        cursor=rows[-1]["cursor"] if rows else after,
    )


def _is_there(row: asyncpg.Record, found: Mapping[UUID, asyncpg.Record]) -> bool:
    """Say whether the ledger has what the feed tells of; a line that is gone stops nobody else."""
    if row["event_id"] in found:
        return True
    log.error("feed.line_missing", brand=row["brand_id"], event_id=row["event_id"])
    return False


def _told(row: asyncpg.Record, event: asyncpg.Record, halves: Halves) -> FeedItem:
    match row["type"]:
        case "ledger.checkpoint":
            return _head(row, event)
        case "person.erased":
            return _erased(row, event)
        case _:
            return _item(row, event, _address(halves, row["brand_id"], event))


def _address(halves: Halves, brand_id: UUID, event: asyncpg.Record) -> str | None:
    """Return the address that an event is about; of an erased person nobody knows it any more."""
    person_id = event["person_id"]
    if not halves.has(person_id):
        return None
    return halves.subject(
        event["sealed"], person_id=person_id, brand_id=brand_id, event_id=event["id"]
    ).address


def _erased(row: asyncpg.Record, event: asyncpg.Record) -> FeedItem:
    return FeedItem(
        cursor=row["cursor"],
        brand_id=row["brand_id"],
        event_id=row["event_id"],
        type=row["type"],
        at=event["recorded_at"],
        data={"person_id": str(event["person_id"]), "consent_event_id": str(event["id"])},
    )


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


def _item(row: asyncpg.Record, event: asyncpg.Record, address: str | None) -> FeedItem:
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
            "address": address,
            "purposes": event["purposes"],
            "scope": event["held_scope"],
            "reason": event["reason"],
            "expires_at": expires_at.isoformat() if expires_at else None,
            "consent_event_id": str(event["id"]),
        },
    )
