"""Accounts: a brand's bots, numbers and pages, and the address of their webhooks.

The credentials pass through to the dispatcher, which seals them; here stays only what proves that
a webhook is the platform's.
"""

import secrets
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from services.gateway import choose, examples
from services.gateway.credentials import check_credentials, check_settings, check_some
from services.gateway.errors import not_found
from services.gateway.examples import worked
from services.gateway.gate import Gate, needs
from services.gateway.house import By, Cursor, House, Limit, NewId, Parts
from services.gateway.paging import after_of, next_of
from services.gateway.queries import accounts as queries
from services.gateway.routes import secret_context
from services.gateway.tables import Account
from shared import clock
from shared.clients.base import ServiceRefused
from shared.contracts.accounts import AccountChange, AccountSetup, AccountState, ConnectIn
from shared.contracts.base import Contract
from shared.contracts.campaigns import Name
from shared.contracts.consent import AccountFacts

router = APIRouter(tags=["accounts"], route_class=Gate)

Values = Annotated[dict[str, Any], Field(max_length=50)]


class AccountIn(Contract):
    """An account as a brand adds it; `GET /v1/channels` says which credentials."""

    channel: str
    name: Name
    credentials: Values
    settings: Values = {}


class AccountUpdate(Contract):
    """What may be changed of an account; what is left out stays."""

    name: Name | None = None
    credentials: Values | None = None
    settings: Values | None = None


class AccountOut(Contract):
    """An account. Its credentials are never shown."""

    id: UUID
    channel: str
    name: str
    settings: dict[str, Any]
    status: str
    status_reason: str | None = None
    platform_id: str | None = None
    platform_name: str | None = None
    webhook_url: str
    created_at: datetime
    generated: dict[str, str] | None = None
    """Secrets that were left out and made for you, shown this once."""


class AccountPage(Contract):
    """Accounts."""

    items: tuple[AccountOut, ...]
    next: str | None = None


@router.post("/v1/accounts", **worked(examples.ACCOUNT, given=examples.ACCOUNT_IN, status=201))
@needs("accounts:write", creates=True)
async def create_account(account: AccountIn, house: Parts, by: By, account_id: NewId) -> AccountOut:
    """Add an account. Connect it next, so that its webhooks come in."""
    channel = choose.known_channel(account.channel)
    checked = check_credentials(channel, account.credentials)
    settings = check_settings(channel, account.settings)
    # The others first, ourselves last: what breaks off in between is an account that nobody sees.
    facts = AccountFacts(id=account_id, brand_id=by.brand_id, channel=channel.name)
    await house.consent.put_account(facts)
    setup = AccountSetup(
        id=account_id,
        brand_id=by.brand_id,
        channel=channel.name,
        name=account.name,
        credentials=checked.values,
        settings=settings,
    )
    state = await house.dispatcher.put_account(setup)
    row = Account(
        brand_id=by.brand_id,
        id=account_id,
        channel=channel.name,
        name=account.name,
        settings=settings,
        created_at=clock.now(),
    )
    await _store(house, row)
    return _shown(house, row, state, made=checked.made)


@router.get("/v1/accounts", **worked(examples.page(examples.CONNECTED)))
@needs("accounts:read")
async def list_accounts(
    house: Parts, by: By, cursor: Cursor = None, limit: Limit = 50
) -> AccountPage:
    """List the brand's accounts and how they are doing."""
    async with house.database.begin(by.brand_id) as session:
        rows = await queries.page(session, by.brand_id, after=after_of(cursor), limit=limit)
    states = await house.dispatcher.accounts(by.brand_id) if rows else {}
    return AccountPage(
        items=tuple(_shown(house, row, states.get(row.id)) for row in rows),
        next=next_of([row.id for row in rows], limit),
    )


@router.get("/v1/accounts/{account_id}", **worked(examples.CONNECTED))
@needs("accounts:read")
async def get_account(account_id: UUID, house: Parts, by: By) -> AccountOut:
    """Return one account."""
    row = await _get(house, by.brand_id, account_id)
    states = await house.dispatcher.accounts(by.brand_id)
    return _shown(house, row, states.get(row.id))


@router.patch(
    "/v1/accounts/{account_id}",
    **worked({**examples.CONNECTED, "name": "Aurora"}, given={"name": "Aurora"}),
)
@needs("accounts:write")
async def change_account(
    account_id: UUID, change: AccountUpdate, house: Parts, by: By
) -> AccountOut:
    """Change the name, the settings or the credentials; what is left out stays.

    Credentials change field by field. Those of another bot, number or page want a new connect.
    """
    row = await _get(house, by.brand_id, account_id)
    channel = choose.known_channel(row.channel)
    values: dict[str, object] = {}
    if change.name is not None:
        values["name"] = change.name
    if change.settings is not None:
        values["settings"] = check_settings(channel, change.settings)
    told = dict(values)
    if change.credentials is not None:
        # Only what was given: completed here, a new token would bring the default server with it.
        check_some(channel, change.credentials)
        told["credentials"] = change.credentials
    state = await house.dispatcher.change_account(
        by.brand_id, account_id, AccountChange.model_validate(told)
    )
    if values:
        async with house.database.begin(by.brand_id) as session:
            await queries.change(session, by.brand_id, account_id, values)
    changed = Account(**{**row.model_dump(), **values})
    return _shown(house, changed, state)


@router.delete(
    "/v1/accounts/{account_id}", **worked(status=204, meaning="Nothing comes or goes through it.")
)
@needs("accounts:write")
async def delete_account(account_id: UUID, house: Parts, by: By) -> None:
    """Delete an account: its webhooks are refused and nothing more is sent through it."""
    await _get(house, by.brand_id, account_id)
    try:
        await house.dispatcher.delete_account(by.brand_id, account_id)
    except ServiceRefused as error:
        if error.status != 404:
            raise
    async with house.database.begin(by.brand_id) as session:
        await queries.drop_route(session, account_id=account_id, brand_id=by.brand_id)
        await queries.delete(session, by.brand_id, account_id, now=clock.now())


@router.post("/v1/accounts/{account_id}/connect", **worked(examples.CONNECTED))
@needs("accounts:write")
async def connect_account(account_id: UUID, house: Parts, by: By) -> AccountOut:
    """Check the credentials with the platform and let it send its webhooks to us."""
    row = await _get(house, by.brand_id, account_id)
    route = await house.routes.find(account_id)
    if route is None or route.brand_id != by.brand_id:
        raise not_found("account")
    where = ConnectIn(webhook_url=_webhook_url(house, row), secret=route.secret)
    state = await house.dispatcher.connect(by.brand_id, account_id, where)
    return _shown(house, row, state)


async def _get(house: House, brand_id: UUID, account_id: UUID) -> Account:
    async with house.database.begin(brand_id) as session:
        row = await queries.get(session, brand_id, account_id)
    if row is None:
        raise not_found("account")
    return row


async def _store(house: House, row: Account) -> None:
    # Telegram allows A-Z, a-z, 0-9, _ and - in it, up to 256 of them.
    secret = secrets.token_urlsafe(32)
    sealed = house.sealer.seal(secret.encode(), context=secret_context(row.brand_id, row.id))
    async with house.database.begin(row.brand_id) as session:
        await queries.put(session, row)
        await queries.put_route(
            session,
            account_id=row.id,
            brand_id=row.brand_id,
            channel=row.channel,
            secret=sealed,
        )


def _webhook_url(house: House, row: Account) -> str:
    return f"{house.settings.public_url}/webhooks/{row.channel}/{row.id}"


def _shown(
    house: House, row: Account, state: AccountState | None, *, made: dict[str, str] | None = None
) -> AccountOut:
    return AccountOut(
        id=row.id,
        channel=row.channel,
        name=row.name,
        settings=row.settings,
        status="new" if state is None else state.status,
        status_reason=None if state is None else state.status_reason,
        platform_id=None if state is None else state.platform_id,
        platform_name=None if state is None else state.platform_name,
        webhook_url=_webhook_url(house, row),
        created_at=row.created_at,
        generated=made or None,
    )
