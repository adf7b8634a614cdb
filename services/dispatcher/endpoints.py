"""Where brands are called back: addresses that we may call, and the secrets that we sign with."""

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import orjson

from services.dispatcher.desk import Desk
from services.dispatcher.queries import callbacks, endpoints, events
from services.dispatcher.queries.endpoints import EndpointRecord
from shared import clock
from shared.contracts.accounts import (
    CallbackAttempt,
    Endpoint,
    EndpointChange,
    EndpointIn,
    EndpointWithSecret,
)
from shared.database import Database
from shared.problems import Problem
from shared.security.addresses import ForbiddenAddress, Target
from shared.security.sealing import Sealer
from shared.security.standard_webhooks import new_secret, read_secret

OLD_SECRET_FOR = timedelta(hours=24)
"""How long we go on signing with the old secret as well, after a rotation."""
_RESOLVE_WITHIN = 3.0


class NoSuchEndpoint(Exception):
    """This brand has no callback endpoint of this id."""


async def put(
    desk: Desk, brand_id: UUID, endpoint_id: UUID, wanted: EndpointIn
) -> tuple[EndpointWithSecret, bool]:
    """Store an endpoint under its id; return it, and whether it is new."""
    await check_url(desk, wanted.url)
    secrets = _sealed(desk.sealer, brand_id, endpoint_id, [(new_secret(), None)])
    async with desk.database.connection(brand_id) as connection:
        new = await endpoints.insert(
            connection,
            brand_id=brand_id,
            endpoint_id=endpoint_id,
            url=wanted.url,
            types=list(dict.fromkeys(wanted.types)),
            secrets=secrets,
        )
        found = await endpoints.find(connection, brand_id=brand_id, endpoint_id=endpoint_id)
    if found is None:
        raise NoSuchEndpoint(str(endpoint_id))
    return _with_secret(desk.sealer, brand_id, found), new


async def read(database: Database, brand_id: UUID, endpoint_id: UUID) -> Endpoint:
    """Return an endpoint, or raise `NoSuchEndpoint`."""
    async with database.connection(brand_id) as connection:
        found = await endpoints.find(connection, brand_id=brand_id, endpoint_id=endpoint_id)
    if found is None:
        raise NoSuchEndpoint(str(endpoint_id))
    return _endpoint(found)


async def page(
    database: Database, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[Endpoint]:
    """Return a brand's endpoints, the newest first."""
    async with database.connection(brand_id) as connection:
        found = await endpoints.page(connection, brand_id=brand_id, before=before, limit=limit)
    return [_endpoint(each) for each in found]


async def change(desk: Desk, brand_id: UUID, endpoint_id: UUID, wanted: EndpointChange) -> Endpoint:
    """Change what is named. Switched on again, it gets what has waited meanwhile."""
    if wanted.url is not None:
        await check_url(desk, wanted.url)
    async with desk.database.connection(brand_id) as connection:
        now = await _locked(connection, brand_id, endpoint_id)
        enabled = now.enabled if wanted.enabled is None else wanted.enabled
        reason = now.disabled_reason or "by_brand"
        await endpoints.change(
            connection,
            brand_id=brand_id,
            endpoint_id=endpoint_id,
            url=wanted.url or now.url,
            types=now.types if wanted.types is None else list(dict.fromkeys(wanted.types)),
            enabled=enabled,
            disabled_reason=None if enabled else reason,
        )
        now = await _locked(connection, brand_id, endpoint_id)
    desk.nudge_lane(endpoint_id)
    return _endpoint(now)


async def delete(database: Database, brand_id: UUID, endpoint_id: UUID) -> None:
    """Delete an endpoint. Repeat as you like."""
    async with database.connection(brand_id) as connection:
        await endpoints.delete(connection, brand_id=brand_id, endpoint_id=endpoint_id)


async def rotate(desk: Desk, brand_id: UUID, endpoint_id: UUID) -> EndpointWithSecret:
    """Make a new secret; for a day both sign, so that the brand can change over without a gap."""
    async with desk.database.connection(brand_id) as connection:
        now = await _locked(connection, brand_id, endpoint_id)
        [(current, _), *_] = opened_secrets(desk.sealer, brand_id, endpoint_id, now.secrets)
        until = clock.now() + OLD_SECRET_FOR
        await endpoints.set_secrets(
            connection,
            brand_id=brand_id,
            endpoint_id=endpoint_id,
            secrets=_sealed(
                desk.sealer, brand_id, endpoint_id, [(new_secret(), None), (current, until)]
            ),
        )
        now = await _locked(connection, brand_id, endpoint_id)
    return _with_secret(desk.sealer, brand_id, now)


async def redeliver(
    desk: Desk,
    brand_id: UUID,
    endpoint_id: UUID,
    *,
    event_id: UUID | None,
    since: datetime | None,
) -> int:
    """Queue one event anew, or all since then that were not delivered; return how many."""
    async with desk.database.connection(brand_id) as connection:
        found = await _locked(connection, brand_id, endpoint_id)
        if not found.enabled:
            raise Problem(409, "endpoint_disabled", "Switch the endpoint on first.")
        queued = 0
        if event_id is not None:
            queued = await events.redeliver_one(
                connection, brand_id=brand_id, endpoint_id=endpoint_id, event_id=event_id
            )
            if not queued:
                raise Problem(404, "not_found", "There is no event of this id.")
        if since is not None:
            queued += await events.redeliver_since(
                connection,
                brand_id=brand_id,
                endpoint_id=endpoint_id,
                since=since if since.tzinfo else since.replace(tzinfo=UTC),
            )
    desk.nudge_lane(endpoint_id)
    return queued


async def attempts(
    database: Database, brand_id: UUID, endpoint_id: UUID, *, before: UUID | None, limit: int
) -> list[CallbackAttempt]:
    """Return an endpoint's tries, the newest first."""
    async with database.connection(brand_id) as connection:
        rows = await callbacks.attempts(
            connection, brand_id=brand_id, endpoint_id=endpoint_id, before=before, limit=limit
        )
    return [CallbackAttempt.model_validate(dict(row)) for row in rows]


async def check_url(desk: Desk, url: str) -> None:
    """Refuse an address that we would not call, with the reason.

    Each call checks anew where it really goes; this is so that a brand hears of it at once.
    """
    try:
        target = desk.addresses.check_url(url)
        for ip in await _resolved(target):
            desk.addresses.check(target.host, target.port, ip)
    except ForbiddenAddress as error:
        errors = [{"pointer": "/url", "message": error.reason}]
        raise Problem(422, "address_refused", "We cannot call this URL.", errors=errors) from error


async def _resolved(target: Target) -> list[str]:
    """Return what the host resolves to; nothing when it does not (yet)."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_RESOLVE_WITHIN):
            found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(address[0]) for *_, address in found]


def signing_keys(
    sealer: Sealer, brand_id: UUID, endpoint_id: UUID, sealed: bytes, *, now: datetime
) -> list[bytes]:
    """Return the keys to sign with at this moment, the newest first."""
    secrets = opened_secrets(sealer, brand_id, endpoint_id, sealed)
    return [read_secret(secret) for secret, until in secrets if until is None or until > now]


def opened_secrets(
    sealer: Sealer, brand_id: UUID, endpoint_id: UUID, sealed: bytes
) -> list[tuple[str, datetime | None]]:
    """Return the secrets with the moment at which each ends, the newest first."""
    stored = orjson.loads(sealer.open(sealed, context=_context(brand_id, endpoint_id)))
    return [(secret, datetime.fromisoformat(until) if until else None) for secret, until in stored]


def _sealed(
    sealer: Sealer,
    brand_id: UUID,
    endpoint_id: UUID,
    secrets: list[tuple[str, datetime | None]],
) -> bytes:
    return sealer.seal(orjson.dumps(secrets), context=_context(brand_id, endpoint_id))


def _context(brand_id: UUID, endpoint_id: UUID) -> str:
    return f"{brand_id}|dispatcher.endpoint|secrets|{endpoint_id}"


async def _locked(
    connection: asyncpg.Connection, brand_id: UUID, endpoint_id: UUID
) -> EndpointRecord:
    found = await endpoints.find(connection, brand_id=brand_id, endpoint_id=endpoint_id, lock=True)
    if found is None:
        raise NoSuchEndpoint(str(endpoint_id))
    return found


def _endpoint(found: EndpointRecord) -> Endpoint:
    return Endpoint.model_validate({name: getattr(found, name) for name in Endpoint.model_fields})


def _with_secret(sealer: Sealer, brand_id: UUID, found: EndpointRecord) -> EndpointWithSecret:
    [(secret, _), *_] = opened_secrets(sealer, brand_id, found.id, found.secrets)
    return EndpointWithSecret(**dict(_endpoint(found)), secret=secret)
