"""What happened, as brands are told of it: stored together with the callbacks that will tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from services.dispatcher.queries import events
from shared.contracts.accounts import EventType


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event; `id` follows from its cause and `at` never changes: a repeat is the same row."""

    id: UUID
    type: EventType
    at: datetime
    data: dict[str, object]


async def record(connection: asyncpg.Connection, brand_id: UUID, rows: Sequence[EventRow]) -> int:
    """Store events and queue their callbacks, in the caller's transaction for that brand.

    Each enabled endpoint whose types fit gets a callback, and its lane is woken. Events that are
    there already change nothing. Returns how many were new.
    """
    if not rows:
        return 0
    return await events.insert(
        connection,
        brand_id=brand_id,
        ids=[row.id for row in rows],
        days=[row.at.astimezone(UTC).date() for row in rows],
        types=[row.type for row in rows],
        times=[row.at for row in rows],
        contents=[row.data for row in rows],
    )
