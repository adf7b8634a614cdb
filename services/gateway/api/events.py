"""Events: what happened, as a list, as a stream, and once more."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Header, Query
from starlette.responses import StreamingResponse

from services.gateway import examples
from services.gateway.examples import worked
from services.gateway.gate import Gate, needs
from services.gateway.house import By, Cursor, Limit, Parts
from shared.clients.base import ServiceUnavailable
from shared.clients.dispatcher_answers import EventPage
from shared.contracts.accounts import Event, EventType

log = structlog.get_logger()

router = APIRouter(tags=["events"], route_class=Gate)

Type = Annotated[EventType | None, Query(description="Only these.")]


@router.get("/v1/events", **worked(examples.page(examples.EVENT)))
@needs("events:read")
async def list_events(
    house: Parts, by: By, type: Type = None, cursor: Cursor = None, limit: Limit = 50
) -> EventPage:
    """List what happened, the newest first; `/v1/events/stream` tells what comes next."""
    return await house.dispatcher.events(by.brand_id, type=type, cursor=cursor, limit=limit)


@router.get(
    "/v1/events/stream",
    response_class=StreamingResponse,
    response_description="A stream without end.",
    responses={
        200: {
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": "id: 4711\nevent: message.received\ndata: {…}\n\n",
                }
            }
        }
    },
)
@needs("events:read")
async def stream_events(
    house: Parts,
    by: By,
    type: Type = None,
    after: Annotated[
        str | None,
        Query(max_length=512, description="Begin after this id of the stream; now, if left out."),
    ] = None,
    last_event_id: Annotated[
        str | None, Header(description="The same, as browsers send it when they reconnect.")
    ] = None,
) -> StreamingResponse:
    """Follow what happens, as server-sent events (`text/event-stream`).

    Each has a number of the stream as its `id`; come back with the last one you saw and nothing is
    left out. A stream ends after some minutes: reconnect, as browsers do by themselves.
    """
    begin = last_event_id or after
    async with AsyncExitStack() as stack:
        # Opened before the answer begins, so that a refusal is still a proper answer.
        source = await stack.enter_async_context(
            house.dispatcher.event_stream(by.brand_id, after=begin, type=type)
        )
        kept = stack.pop_all()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            async with kept:
                async for piece in source.aiter_raw():
                    yield piece
        except ServiceUnavailable:
            # The client reconnects and names the last event it saw.
            log.info("events.interrupted", brand=str(by.brand_id))

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(pieces(), media_type="text/event-stream", headers=headers)


@router.post("/v1/events/{event_id}/replay", **worked(examples.EVENT))
@needs("callbacks:write", creates=True)
async def replay_event(event_id: UUID, house: Parts, by: By) -> Event:
    """Call back about an event once more, wherever its type is wanted."""
    return await house.dispatcher.replay(by.brand_id, event_id)
