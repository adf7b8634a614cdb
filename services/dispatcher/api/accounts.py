"""Accounts: the half that sends."""

import asyncio
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Response
from pydantic import StringConstraints
from starlette.background import BackgroundTask

from channels.base.channel import Sender
from channels.base.outcomes import SendError
from services.dispatcher import account_setup
from services.dispatcher.api.parameters import Items, TheDesk, same_id
from services.dispatcher.queries import accounts
from shared.contracts.accounts import AccountChange, AccountSetup, AccountState, ConnectIn
from shared.contracts.base import Contract

log = structlog.get_logger()
router = APIRouter(prefix="/v1/brands/{brand_id}/accounts", tags=["accounts"])

_TAP_WITHIN = 5.0


class TapIn(Contract):
    """A tap on a button, as the platform names it."""

    tap_id: Annotated[str, StringConstraints(min_length=1, max_length=256)]


@router.get("")
async def every(desk: TheDesk, brand_id: UUID) -> Items[AccountState]:
    """Return how a brand's accounts are doing, the oldest first."""
    async with desk.database.connection(brand_id) as connection:
        rows = await accounts.of_brand(connection, brand_id=brand_id)
    return Items(items=[account_setup.state(row) for row in rows])


@router.put("/{account_id}")
async def set_up(
    desk: TheDesk, brand_id: UUID, account_id: UUID, setup: AccountSetup
) -> AccountState:
    """Store an account with its credentials, or replace them."""
    same_id(account_id, setup.id, name="id")
    same_id(brand_id, setup.brand_id, name="brand_id")
    return await account_setup.set_up(desk, setup)


@router.patch("/{account_id}")
async def change(
    desk: TheDesk, brand_id: UUID, account_id: UUID, wanted: AccountChange
) -> AccountState:
    """Change what is named."""
    return await account_setup.change(desk, brand_id, account_id, wanted)


@router.delete("/{account_id}", status_code=204)
async def delete(desk: TheDesk, brand_id: UUID, account_id: UUID) -> Response:
    """Forget the credentials and cancel what waits to be sent."""
    await account_setup.delete(desk, brand_id, account_id)
    return Response(status_code=204)


@router.post("/{account_id}/connect")
async def connect(
    desk: TheDesk, brand_id: UUID, account_id: UUID, wanted: ConnectIn
) -> AccountState:
    """Let the platform check the credentials and send its webhooks to us."""
    return await account_setup.connect(desk, brand_id, account_id, wanted)


@router.post("/{account_id}/taps", status_code=202)
async def acknowledge(desk: TheDesk, brand_id: UUID, account_id: UUID, tap: TapIn) -> Response:
    """Let a tapped button stop turning: best effort, after the answer."""
    account = await desk.accounts.sender(brand_id, account_id)
    return Response(
        status_code=202, background=BackgroundTask(_acknowledge, account.sender, tap.tap_id)
    )


async def _acknowledge(sender: Sender, tap_id: str) -> None:
    try:
        async with asyncio.timeout(_TAP_WITHIN):
            await sender.acknowledge(tap_id)
    except (SendError, TimeoutError) as error:
        log.info("tap.not_acknowledged", error=type(error).__name__)
