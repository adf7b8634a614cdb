"""Callbacks: where a brand is called when something happens (Standard Webhooks 1.0)."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, model_validator

from services.gateway import examples
from services.gateway.examples import worked
from services.gateway.gate import Gate, needs
from services.gateway.house import By, Cursor, Limit, NewId, Parts
from shared.clients.dispatcher_answers import CallbackAttemptPage, EndpointPage, Requeued
from shared.contracts.accounts import Endpoint, EndpointChange, EndpointIn, EndpointWithSecret
from shared.contracts.base import Contract

router = APIRouter(tags=["callbacks"], route_class=Gate)


class RedeliverIn(Contract):
    """One event, or all since a time."""

    event_id: UUID | None = None
    since: AwareDatetime | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> "RedeliverIn":
        if (self.event_id is None) == (self.since is None):
            raise ValueError("give either an event_id or since")
        return self


@router.post(
    "/v1/callbacks",
    **worked(examples.ENDPOINT_WITH_SECRET, given=examples.ENDPOINT_IN, status=201),
)
@needs("callbacks:write", creates=True)
async def create_callback(
    endpoint: EndpointIn, house: Parts, by: By, endpoint_id: NewId
) -> EndpointWithSecret:
    """Name a URL to be called, for some types of events or for all. The secret is shown once."""
    return await house.dispatcher.put_endpoint(by.brand_id, endpoint_id, endpoint)


@router.get("/v1/callbacks", **worked(examples.page(examples.ENDPOINT)))
@needs("callbacks:read")
async def list_callbacks(
    house: Parts, by: By, cursor: Cursor = None, limit: Limit = 50
) -> EndpointPage:
    """List where the brand is called."""
    return await house.dispatcher.endpoints(by.brand_id, cursor=cursor, limit=limit)


@router.get("/v1/callbacks/{endpoint_id}", **worked(examples.ENDPOINT))
@needs("callbacks:read")
async def get_callback(endpoint_id: UUID, house: Parts, by: By) -> Endpoint:
    """Return one of them."""
    return await house.dispatcher.get_endpoint(by.brand_id, endpoint_id)


@router.patch(
    "/v1/callbacks/{endpoint_id}",
    **worked({**examples.ENDPOINT, "enabled": False}, given={"enabled": False}),
)
@needs("callbacks:write")
async def change_callback(
    endpoint_id: UUID, change: EndpointChange, house: Parts, by: By
) -> Endpoint:
    """Change the URL or the types, or switch it off and on."""
    return await house.dispatcher.change_endpoint(by.brand_id, endpoint_id, change)


@router.delete("/v1/callbacks/{endpoint_id}", **worked(status=204, meaning="No more calls."))
@needs("callbacks:write")
async def delete_callback(endpoint_id: UUID, house: Parts, by: By) -> None:
    """Be called there no more."""
    # The dispatcher deletes as often as it is asked; whoever asks us is told of a wrong id.
    await house.dispatcher.get_endpoint(by.brand_id, endpoint_id)
    await house.dispatcher.delete_endpoint(by.brand_id, endpoint_id)


@router.get(
    "/v1/callbacks/{endpoint_id}/attempts", **worked(examples.page(examples.CALLBACK_ATTEMPT))
)
@needs("callbacks:read")
async def list_callback_attempts(
    endpoint_id: UUID, house: Parts, by: By, cursor: Cursor = None, limit: Limit = 50
) -> CallbackAttemptPage:
    """List what became of the calls."""
    return await house.dispatcher.callback_attempts(
        by.brand_id, endpoint_id, cursor=cursor, limit=limit
    )


@router.post(
    "/v1/callbacks/{endpoint_id}/redeliver",
    **worked({"queued": 1}, given={"event_id": examples.EVENT_ID}, status=202),
)
@needs("callbacks:write", creates=True)
async def redeliver_callback(
    endpoint_id: UUID, what: RedeliverIn, house: Parts, by: By
) -> Requeued:
    """Be called again: about one event, or about all since a time that did not arrive."""
    named = what.model_dump(mode="json", exclude_none=True)
    return await house.dispatcher.redeliver(by.brand_id, endpoint_id, named)


@router.post("/v1/callbacks/{endpoint_id}/rotate", **worked(examples.ENDPOINT_WITH_SECRET))
@needs("callbacks:write", creates=True)
async def rotate_callback_secret(endpoint_id: UUID, house: Parts, by: By) -> EndpointWithSecret:
    """Make a new secret, shown once. For a while both sign, so that nothing is missed."""
    return await house.dispatcher.rotate(by.brand_id, endpoint_id)
