"""Callback endpoints: where brands want to be called."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Response
from pydantic import Field, model_validator

from services.dispatcher import endpoints
from services.dispatcher.api.parameters import MOST, Cursor, Limit, Page, TheDesk, page_of, read_id
from shared.contracts.accounts import (
    CallbackAttempt,
    Endpoint,
    EndpointChange,
    EndpointIn,
    EndpointWithSecret,
)
from shared.contracts.base import Contract

router = APIRouter(prefix="/v1/brands/{brand_id}/callbacks", tags=["callbacks"])


class RedeliverIn(Contract):
    """What to call back about again: one event, or everything not delivered since a time."""

    event_id: UUID | None = None
    since: datetime | None = None

    @model_validator(mode="after")
    def _one(self) -> "RedeliverIn":
        if (self.event_id is None) == (self.since is None):
            raise ValueError("name either event_id or since")
        return self


class Queued(Contract):
    """How many callbacks are on their way again."""

    queued: Annotated[int, Field(ge=0)]


@router.put(
    "/{endpoint_id}", responses={201: {"model": EndpointWithSecret, "description": "It is new."}}
)
async def put(
    desk: TheDesk, brand_id: UUID, endpoint_id: UUID, wanted: EndpointIn, response: Response
) -> EndpointWithSecret:
    """Store an endpoint under its id and make its secret; a repeat changes nothing."""
    endpoint, new = await endpoints.put(desk, brand_id, endpoint_id, wanted)
    response.status_code = 201 if new else 200
    return endpoint


@router.get("")
async def page(
    desk: TheDesk, brand_id: UUID, cursor: Cursor = None, limit: Limit = MOST
) -> Page[Endpoint]:
    """Return a brand's endpoints, the newest first."""
    found = await endpoints.page(desk.database, brand_id, before=read_id(cursor), limit=limit + 1)
    return page_of(found, limit, lambda endpoint: endpoint.id)


@router.get("/{endpoint_id}")
async def read(desk: TheDesk, brand_id: UUID, endpoint_id: UUID) -> Endpoint:
    """Return an endpoint."""
    return await endpoints.read(desk.database, brand_id, endpoint_id)


@router.patch("/{endpoint_id}")
async def change(
    desk: TheDesk, brand_id: UUID, endpoint_id: UUID, wanted: EndpointChange
) -> Endpoint:
    """Change what is named; one that is switched on again gets what has waited."""
    return await endpoints.change(desk, brand_id, endpoint_id, wanted)


@router.delete("/{endpoint_id}", status_code=204)
async def delete(desk: TheDesk, brand_id: UUID, endpoint_id: UUID) -> Response:
    """Call there no more."""
    await endpoints.delete(desk.database, brand_id, endpoint_id)
    return Response(status_code=204)


@router.get("/{endpoint_id}/attempts")
async def attempts(
    desk: TheDesk, brand_id: UUID, endpoint_id: UUID, cursor: Cursor = None, limit: Limit = MOST
) -> Page[CallbackAttempt]:
    """Return the tries at an endpoint, the newest first."""
    await endpoints.read(desk.database, brand_id, endpoint_id)
    found = await endpoints.attempts(
        desk.database, brand_id, endpoint_id, before=read_id(cursor), limit=limit + 1
    )
    return page_of(found, limit, lambda attempt: attempt.id)


@router.post("/{endpoint_id}/redeliver", status_code=202)
async def redeliver(
    desk: TheDesk, brand_id: UUID, endpoint_id: UUID, what: Annotated[RedeliverIn, Body()]
) -> Queued:
    """Call back again about one event, or about all that was not delivered since a time."""
    queued = await endpoints.redeliver(
        desk, brand_id, endpoint_id, event_id=what.event_id, since=what.since
    )
    return Queued(queued=queued)


@router.post("/{endpoint_id}/rotate")
async def rotate(desk: TheDesk, brand_id: UUID, endpoint_id: UUID) -> EndpointWithSecret:
    """Make a new secret; the old one signs too for a day."""
    return await endpoints.rotate(desk, brand_id, endpoint_id)
