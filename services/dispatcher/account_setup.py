"""Set an account up, change it, connect it with its platform, delete it."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import asyncpg
import orjson
import structlog
from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError

from channels.base.channel import Channel, Connected, Sender
from channels.base.outcomes import AccountBroken, Refused, SendError, Throttled
from services.dispatcher import events
from services.dispatcher.accounts import NoSuchAccount, sealing_context, status_event
from services.dispatcher.desk import Desk
from services.dispatcher.queries import accounts, lanes
from services.dispatcher.queries.accounts import AccountRow
from services.dispatcher.work import DONE, later
from shared.contracts.accounts import AccountChange, AccountSetup, AccountState, ConnectIn
from shared.problems import Problem
from shared.wrong_fields import field_errors

log = structlog.get_logger()

CONNECT_WITHIN = 25.0
"""Seconds that a platform may take to accept an account."""
_LONGEST_PAUSE = 5.0
"""Seconds that a platform may ask us to wait before it looks at an account again."""
_CANCEL_AT_ONCE = 250
"""Slips; more than there can be with something in flight."""


def state(row: AccountRow) -> AccountState:
    """Return what may be told of an account."""
    return AccountState.model_validate(
        {name: getattr(row, name) for name in AccountState.model_fields}
    )


async def set_up(desk: Desk, setup: AccountSetup) -> AccountState:
    """Store an account, or what changed of it; its channel never changes."""
    channel = channel_named(desk, setup.channel, at="/channel")
    credentials = _checked(channel.credentials, setup.credentials, at="credentials")
    _checked(channel.settings, setup.settings, at="settings")
    values = _stored(desk, setup.brand_id, setup.id, channel, credentials)
    async with desk.database.connection(setup.brand_id) as connection:
        new = await accounts.insert(
            connection,
            brand_id=setup.brand_id,
            account_id=setup.id,
            channel=channel.name,
            name=setup.name,
            credentials=values[0],
            settings=setup.settings,
            platform_id=values[1],
        )
        row = await _locked(connection, setup.brand_id, setup.id)
        if row.channel != channel.name:
            raise Problem(409, "channel_is_fixed", "An account stays on its channel.")
        if not new:
            await accounts.change(
                connection,
                brand_id=setup.brand_id,
                account_id=setup.id,
                name=setup.name,
                credentials=values[0],
                settings=setup.settings,
                platform_id=values[1],
            )
    return state(row)


async def change(
    desk: Desk, brand_id: UUID, account_id: UUID, wanted: AccountChange
) -> AccountState:
    """Change what is named; credentials are merged by field, so that one token can be replaced.

    An account that now is another one on its platform is new: it was never connected.
    """
    async with desk.database.connection(brand_id) as connection:
        row = await _locked(connection, brand_id, account_id)
        channel = desk.channels[row.channel]
        context = sealing_context(brand_id, account_id)
        plain = orjson.loads(desk.sealer.open(row.credentials, context=context))
        credentials = _checked(
            channel.credentials, {**plain, **(wanted.credentials or {})}, at="credentials"
        )
        settings = row.settings if wanted.settings is None else wanted.settings
        _checked(channel.settings, settings, at="settings")
        sealed, platform_id = _stored(desk, brand_id, account_id, channel, credentials)
        await accounts.change(
            connection,
            brand_id=brand_id,
            account_id=account_id,
            name=wanted.name or row.name,
            credentials=sealed,
            settings=settings,
            platform_id=platform_id,
        )
        if wanted.credentials:
            # What was wrong with the old ones is no reason to wait any longer.
            await lanes.unpause(connection, lane_id=account_id)
        row = await _locked(connection, brand_id, account_id)
    desk.nudge_lane(account_id)
    return state(row)


async def connect(desk: Desk, brand_id: UUID, account_id: UUID, wanted: ConnectIn) -> AccountState:
    """Let the platform check the credentials and send its webhooks to us.

    A bot or number is connected once: it has one webhook, and those who say no to it say so there.
    """
    await _free(desk, brand_id, account_id)
    try:
        opened = await desk.accounts.sender(brand_id, account_id, fresh=True)
        async with asyncio.timeout(CONNECT_WITHIN):
            known = await _connected(opened.sender, wanted)
    except NoSuchAccount as error:
        raise no_such_account() from error
    except (AccountBroken, Refused) as error:
        await desk.accounts.broken(brand_id, account_id, error.code)
        raise Problem(
            422, "account_refused", f"The platform refused this account: {error}."
        ) from error
    except (SendError, TimeoutError) as error:
        log.warning("account.unreachable", account=str(account_id), error=type(error).__name__)
        code = error.code if isinstance(error, SendError) else "timeout"
        raise Problem(
            422,
            "platform_unavailable",
            f"The platform cannot be reached at the moment ({code}); try again.",
        ) from error
    async with desk.database.connection(brand_id) as connection:
        row = await _locked(connection, brand_id, account_id)
        platform_id = _own_id(desk, row)
        if platform_id is not None and not await accounts.hold(
            connection, channel=row.channel, platform_id=platform_id, account_id=account_id
        ):
            raise await _taken(connection, brand_id, row.channel, platform_id)
        await accounts.connected(
            connection,
            brand_id=brand_id,
            account_id=account_id,
            platform_id=known.platform_id,
            platform_name=known.name,
        )
        await lanes.unpause(connection, lane_id=account_id)
        if row.status == "broken":
            told = status_event(
                "account.recovered", account_id=account_id, channel=row.channel, reason=None
            )
            await events.record(connection, brand_id, [told])
        row = await _locked(connection, brand_id, account_id)
    log.info("account.connected", account=str(account_id), channel=row.channel)
    return state(row)


async def _free(desk: Desk, brand_id: UUID, account_id: UUID) -> None:
    """Refuse, before the platform hears of it, what another account is connected as."""
    async with desk.database.connection(brand_id) as connection:
        row = await _locked(connection, brand_id, account_id)
        platform_id = _own_id(desk, row)
        if platform_id is None:
            return
        holder = await accounts.holder(connection, channel=row.channel, platform_id=platform_id)
        if holder not in (None, account_id):
            raise await _taken(connection, brand_id, row.channel, platform_id)


def _own_id(desk: Desk, row: AccountRow) -> str | None:
    """Return the platform's id of the one bot or number that an account speaks as, if any."""
    channel = desk.channels[row.channel]
    plain = desk.sealer.open(row.credentials, context=sealing_context(row.brand_id, row.id))
    return channel.platform_account_id(channel.credentials.model_validate_json(plain))


async def _taken(
    connection: asyncpg.Connection, brand_id: UUID, channel: str, platform_id: str
) -> Problem:
    """Say which account it is, if that is the brand's own."""
    holder = await accounts.holder(connection, channel=channel, platform_id=platform_id)
    known = holder and await accounts.find(connection, brand_id=brand_id, account_id=holder)
    which = f"account {holder} of yours" if known else "an account of another brand"
    return Problem(
        409,
        "account_taken",
        f"This is connected as {which} already, and can be connected once. Delete that first.",
    )


async def _connected(sender: Sender, wanted: ConnectIn) -> Connected:
    """Connect; a platform that wants it slower gets it slower, as long as somebody waits."""
    while True:
        try:
            return await sender.connect(wanted.webhook_url, wanted.secret)
        except Throttled as error:
            wait = error.after.total_seconds()
            if wait > _LONGEST_PAUSE:
                raise
            await asyncio.sleep(wait)


async def delete(desk: Desk, brand_id: UUID, account_id: UUID) -> None:
    """Delete an account; what waits on it is cancelled soon after. Repeat as you like."""
    async with desk.database.connection(brand_id) as connection:
        if await accounts.delete(connection, brand_id=brand_id, account_id=account_id):
            await later(connection, brand_id, "clear_account", account_id)
    desk.nudge_work()


async def clear(desk: Desk, brand_id: UUID, account_id: UUID) -> timedelta | None:
    """Cancel a batch of what a deleted account has left; come again until nothing flies."""
    async with desk.database.connection(brand_id) as connection:
        cancelled, left = await accounts.cancel_messages(
            connection, brand_id=brand_id, account_id=account_id, slips=_CANCEL_AT_ONCE
        )
    if not left:
        return DONE
    return timedelta() if cancelled else timedelta(seconds=2)


def channel_named(desk: Desk, name: str, *, at: str) -> Channel:
    """Return a channel, or refuse the request with a pointer to where it was named."""
    if name not in desk.channels:
        known = ", ".join(sorted(desk.channels))
        raise Problem(
            422,
            "invalid",
            "Some fields are wrong.",
            errors=[{"pointer": at, "message": f"there is no such channel; there are {known}"}],
        )
    return desk.channels[name]


def no_such_account() -> Problem:
    """Return the answer for an id that is not an account of this brand."""
    return Problem(404, "not_found", "There is no account of this id.")


async def _locked(connection: asyncpg.Connection, brand_id: UUID, account_id: UUID) -> AccountRow:
    row = await accounts.find(connection, brand_id=brand_id, account_id=account_id, lock=True)
    if row is None:
        raise no_such_account()
    return row


def _checked(model: type[BaseModel], values: Mapping[str, object], *, at: str) -> BaseModel:
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        # Messages and places only: an input here may be a secret.
        errors = field_errors(error.errors(include_input=False, include_url=False), at=(at,))
        raise Problem(422, "invalid", "Some fields are wrong.", errors=errors) from error


def _stored(
    desk: Desk, brand_id: UUID, account_id: UUID, channel: Channel, credentials: BaseModel
) -> tuple[bytes, str | None]:
    """Return the sealed credentials, defaults included, and the platform's id they tell of."""
    plain = orjson.dumps(credentials.model_dump(), default=_revealed)
    sealed = desk.sealer.seal(plain, context=sealing_context(brand_id, account_id))
    return sealed, channel.platform_account_id(credentials)


def _revealed(value: object) -> str:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case SecretBytes():
            return value.get_secret_value().decode()
        case _:
            return str(value)
