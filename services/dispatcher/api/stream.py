"""The stream of events (server-sent events), for those who would rather listen than be called."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Header, Query
from starlette.responses import StreamingResponse

from services.dispatcher.api.events import event_of
from services.dispatcher.api.parameters import TheDesk
from services.dispatcher.desk import Desk
from services.dispatcher.queries import events
from shared import clock
from shared.contracts.accounts import EventType
from shared.problems import Problem

router = APIRouter(tags=["events"])

LOOK_EVERY = 0.25
BEAT_EVERY = 15.0
"""Seconds between signs of life, which keep proxies from hanging up."""
LASTS = 300.0
"""Seconds after which a stream ends; the client comes back with the last id it saw."""
_LIMIT = 200


@router.get(
    "/v1/brands/{brand_id}/events/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def stream(
    desk: TheDesk,
    brand_id: UUID,
    after: Annotated[str | None, Query(max_length=20, description="The last id seen.")] = None,
    type: Annotated[EventType | None, Query()] = None,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> StreamingResponse:
    """Tell what happens from now on, or after the last id seen: in order, nothing left out."""
    given = last_event_id or after
    if given is not None and not (given.isascii() and given.isdigit() and int(given) < 2**63):
        errors = [{"pointer": "/query/after", "message": "this is not an id of this stream"}]
        raise Problem(422, "invalid", "Some fields are wrong.", errors=errors)
    if given is None:
        async with desk.database.connection(brand_id) as connection:
            begin = await events.last_seq(connection, brand_id=brand_id)
    else:
        begin = int(given)
    return StreamingResponse(
        _lines(desk, brand_id, begin, type),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _lines(
    desk: Desk, brand_id: UUID, seq: int, type: EventType | None
) -> AsyncIterator[bytes]:
    ends_at = clock.ticks() + LASTS
    beat_at = clock.ticks() + BEAT_EVERY
    yield b"retry: 1000\n\n"
    while clock.ticks() < ends_at:
        async with desk.database.connection(brand_id) as connection:
            rows = await events.after(
                connection, brand_id=brand_id, seq=seq, type=type, limit=_LIMIT
            )
        for row in rows:
            seq = row["seq"]
            body = orjson.dumps(event_of(row).model_dump(mode="json"))
            yield b"id: %d\nevent: %s\ndata: %s\n\n" % (seq, row["type"].encode(), body)
        if rows:
            beat_at = clock.ticks() + BEAT_EVERY
            continue
        if clock.ticks() >= beat_at:
            beat_at = clock.ticks() + BEAT_EVERY
            yield b": still here\n\n"
        await asyncio.sleep(LOOK_EVERY)
