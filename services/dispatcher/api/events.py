"""Events: what happened, as callbacks carry it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from services.dispatcher import events
from services.dispatcher.api.parameters import (
    MOST,
    Cursor,
    Limit,
    Page,
    TheDesk,
    read_number,
    write_cursor,
)
from services.dispatcher.days import have_days
from services.dispatcher.events import EventRow
from services.dispatcher.queries import events as queries
from shared import clock
from shared.contracts.accounts import Event, EventIn, EventType
from shared.contracts.base import Contract
from shared.problems import Problem

router = APIRouter(tags=["events"])

OLDEST = timedelta(days=30)
_FUTURE = timedelta(days=1)


class EventsIn(Contract):
    """Some events, of any brands."""

    items: Annotated[tuple[EventIn, ...], Field(max_length=1_000)]


@router.post("/v1/events", status_code=202)
async def take(desk: TheDesk, told: EventsIn) -> Response:
    """Store events and queue their callbacks; an event of the same id is stored once."""
    by_brand: dict[UUID, list[EventRow]] = {}
    for number, event in enumerate(told.items):
        at = _when(event.timestamp, number)
        by_brand.setdefault(event.brand_id, []).append(
            EventRow(id=event.id, type=event.type, at=at, data=event.data)
        )
    await have_days(desk.database, (row.at for rows in by_brand.values() for row in rows))
    for brand_id, rows in by_brand.items():
        async with desk.database.connection(brand_id) as connection:
            await events.record(connection, brand_id, rows)
    return Response(status_code=202)


@router.get("/v1/brands/{brand_id}/events")
async def page(
    desk: TheDesk,
    brand_id: UUID,
    type: Annotated[EventType | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = MOST,
) -> Page[Event]:
    """Return what happened, the newest first."""
    async with desk.database.connection(brand_id) as connection:
        rows = await queries.newest(
            connection,
            brand_id=brand_id,
            type=type,
            before=read_number(cursor),
            limit=limit + 1,
        )
    more = len(rows) > limit
    return Page(
        items=[event_of(row) for row in rows[:limit]],
        next=write_cursor(rows[limit - 1]["seq"]) if more else None,
    )


@router.post("/v1/brands/{brand_id}/events/{event_id}/replay", status_code=202)
async def replay(desk: TheDesk, brand_id: UUID, event_id: UUID) -> Event:
    """Call every endpoint that wants such events once more about this one."""
    async with desk.database.connection(brand_id) as connection:
        row = await queries.find(connection, brand_id=brand_id, event_id=event_id)
        if row is None:
            raise Problem(404, "not_found", "There is no event of this id.")
        await queries.replay(connection, brand_id=brand_id, event_id=event_id)
    return event_of(row)


def event_of(row: Mapping[str, Any]) -> Event:
    """Return a row as callbacks carry it."""
    return Event(id=row["id"], type=row["type"], timestamp=row["at"], data=row["data"])


def _when(moment: datetime, number: int) -> datetime:
    """Return an event's time, aware; refuse one that no partition will be made for."""
    at = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        age = clock.now() - at
    except OverflowError:
        age = timedelta.max
    if not -_FUTURE < age < OLDEST:
        where = {
            "pointer": f"/items/{number}/timestamp",
            "message": f"it is more than {OLDEST.days} days ago, or in the future",
        }
        raise Problem(422, "invalid", "Some fields are wrong.", errors=[where])
    return at
