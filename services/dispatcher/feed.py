"""Follow consent's feed, and tell brands what became true there."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from services.dispatcher import events, refreshing, work
from services.dispatcher.days import have_days
from services.dispatcher.desk import Desk
from services.dispatcher.events import EventRow
from services.dispatcher.queries import forgetting
from shared.clients.base import ServiceUnavailable
from shared.contracts.feed import Feed, FeedItem
from shared.ids import derived_id

log = structlog.get_logger()

NAME = "consent"
LIMIT = 500
WAIT = 2.0
"""Seconds that consent may hold the question while nothing is new."""


class FeedFollower:
    """A worker that carries the feed's items over, in order, once.

    The position moves in the transaction that stores the events and lists what follows from them,
    and only from where it was when the question was asked. So of several followers one gets ahead,
    and nothing is told twice.
    """

    def __init__(self, desk: Desk) -> None:
        """Begin where the last follower stood."""
        self._database = desk.database
        self._consent = desk.consent
        self._channels = desk.channels
        self._away = False

    async def step(self) -> int:
        """Ask for what is new and store it; return how much it was."""
        async with self._database.connection() as connection:
            position = await find_position(connection, NAME)
        try:
            feed = await self._consent.feed(after=position, limit=LIMIT, wait=WAIT)
        except ServiceUnavailable as error:
            if not self._away:
                log.warning("feed.waiting", reason=str(error))
            self._away = True
            return 0
        self._away = False
        if feed.cursor <= position:
            return 0
        await have_days(self._database, (item.at for item in feed.items))
        return await self._store(feed, position)

    async def _store(self, feed: Feed, position: int) -> int:
        by_brand: dict[UUID, list[FeedItem]] = {}
        for item in feed.items:
            by_brand.setdefault(item.brand_id, []).append(item)
        async with self._database.connection() as connection:
            if not await advance(connection, NAME, position, feed.cursor):
                return 0
            for brand_id, items in by_brand.items():
                await connection.execute("SELECT set_config('app.brand', $1, true)", str(brand_id))
                await events.record(connection, brand_id, [_event(item) for item in items])
                # Whatever was told of them before came with an earlier item, or in this lot.
                for gone in _erased(items):
                    await forgetting.events(connection, brand_id=brand_id, person_id=gone)
                for item in items:
                    if (refresh := refreshing.due(item, self._channels)) is not None:
                        await work.later(connection, brand_id, "refresh", refresh)
        log.info("feed.followed", items=len(feed.items), cursor=feed.cursor)
        return len(feed.items)


def _erased(items: Sequence[FeedItem]) -> list[UUID]:
    return [UUID(str(item.data["person_id"])) for item in items if item.type == "person.erased"]


def _event(item: FeedItem) -> EventRow:
    data: Mapping[str, Any] = item.data
    return EventRow(
        id=derived_id(item.event_id, item.type), type=item.type, at=item.at, data=dict(data)
    )


async def find_position(connection: asyncpg.Connection, name: str) -> int:
    """Return how far a follower of this name has come."""
    position: int = await connection.fetchval(
        "INSERT INTO dispatcher.feed_position (name, cursor) VALUES ($1, 0)"
        " ON CONFLICT (name) DO UPDATE SET cursor = feed_position.cursor RETURNING cursor",
        name,
    )
    return position


async def advance(connection: asyncpg.Connection, name: str, before: int, after: int) -> bool:
    """Move on, unless another follower did; the row stays locked until the transaction ends."""
    return bool(
        await connection.fetchval(
            "UPDATE dispatcher.feed_position SET cursor = $3 WHERE name = $1 AND cursor = $2"
            " RETURNING true",
            name,
            before,
            after,
        )
    )
