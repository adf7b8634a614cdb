"""The accounts that send: opened once with their unsealed credentials, and kept open."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import orjson
import structlog

from channels.base.channel import AddressPolicy, Channel, Sender
from channels.base.outcomes import AccountBroken, Refused, SendError, Sent
from services.dispatcher import events
from services.dispatcher.queries import accounts, lanes
from services.dispatcher.shelf import Shelf, Store
from shared import clock
from shared.contracts.accounts import EventType
from shared.database import Database
from shared.ids import new_id
from shared.security.sealing import Sealer

log = structlog.get_logger()

CHECK_EVERY = 1.0
"""Seconds for which an open account is used without asking whether it was changed."""
CLOSE_AFTER = 60.0
"""Seconds that a replaced sender stays open for what is still in flight."""
IDLE_AFTER = 600.0
"""Seconds without use after which an account is closed."""


class NoSuchAccount(Exception):
    """This brand has no account of this id, or it was deleted."""


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """A channel opened with one account's credentials, and what the brand chose for it."""

    channel: Channel
    sender: Sender
    settings: dict[str, object]
    version: int


@dataclass(slots=True)
class _Kept:
    """One account of the cache."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    account: OpenAccount | None = None
    checked_at: float = float("-inf")
    used_at: float = 0.0
    broken: bool = False
    credentials: bytes = b""


def sealing_context(brand_id: UUID, account_id: UUID) -> str:
    """Name the place where an account's credentials are sealed for."""
    return f"{brand_id}|dispatcher.account|credentials|{account_id}"


class Accounts:
    """Opens accounts when they are first needed, and anew when they were changed."""

    def __init__(
        self,
        database: Database,
        *,
        sealer: Sealer,
        channels: Mapping[str, Channel],
        addresses: AddressPolicy,
        store: Store,
    ) -> None:
        """Open nothing yet."""
        self._database = database
        self._sealer = sealer
        self._channels = channels
        self._addresses = addresses
        self._store = store
        self._kept: dict[tuple[UUID, UUID], _Kept] = {}
        self._retired: list[tuple[float, Sender]] = []

    async def sender(self, brand_id: UUID, account_id: UUID, *, fresh: bool = False) -> OpenAccount:
        """Return the account opened, as it was at most a second ago (`fresh`: as it is now).

        Raises `NoSuchAccount`. One that is deleted while it is open stays usable for what is in
        flight; its lane is gone, so nothing new comes.
        """
        kept = self._kept.setdefault((brand_id, account_id), _Kept())
        kept.used_at = clock.ticks()
        if kept.account and not fresh and kept.used_at - kept.checked_at < CHECK_EVERY:
            return kept.account
        async with kept.lock:
            if kept.account and not fresh and clock.ticks() - kept.checked_at < CHECK_EVERY:
                return kept.account
            return await self._refresh(kept, brand_id, account_id)

    def is_news(self, brand_id: UUID, account_id: UUID, outcome: Sent | SendError) -> bool:
        """Could an outcome change what is known of the account?"""
        if isinstance(outcome, Sent):
            kept = self._kept.get((brand_id, account_id))
            return kept is not None and kept.broken
        return isinstance(outcome, AccountBroken | Refused)

    async def noticed(self, brand_id: UUID, account_id: UUID, outcome: Sent | SendError) -> None:
        """Learn from an outcome whether the account works; cheap where that is nothing new."""
        kept = self._kept.get((brand_id, account_id))
        known_broken = kept is not None and kept.broken
        match outcome:
            case AccountBroken(code=code) if not known_broken:
                await self.broken(brand_id, account_id, code)
            case Sent() | Refused() if known_broken:
                await self.recovered(brand_id, account_id)

    async def broken(self, brand_id: UUID, account_id: UUID, reason: str) -> None:
        """Write down that nothing can be sent with this account, and tell the brand once."""
        await self._change_status(brand_id, account_id, working=False, reason=reason)

    async def recovered(self, brand_id: UUID, account_id: UUID) -> None:
        """Write down that a broken account works again, and tell the brand once."""
        await self._change_status(brand_id, account_id, working=True, reason=None)

    async def step(self) -> int:
        """Close what is no longer used (`shared.worker.Worker`)."""
        now = clock.ticks()
        for key, kept in list(self._kept.items()):
            if now - kept.used_at > IDLE_AFTER and not kept.lock.locked():
                del self._kept[key]
                self._retire(kept)
        due = [sender for since, sender in self._retired if now - since > CLOSE_AFTER]
        self._retired = [each for each in self._retired if each[1] not in due]
        for sender in due:
            await sender.close()
        return len(due)

    async def close(self) -> None:
        """Close every sender."""
        for kept in self._kept.values():
            self._retire(kept)
        self._kept.clear()
        retired, self._retired = self._retired, []
        for _, sender in retired:
            await sender.close()

    async def _refresh(self, kept: _Kept, brand_id: UUID, account_id: UUID) -> OpenAccount:
        async with self._database.connection(brand_id) as connection:
            row = await accounts.find(connection, brand_id=brand_id, account_id=account_id)
        if row is None:
            if kept.account is None:
                self._kept.pop((brand_id, account_id), None)
                raise NoSuchAccount(str(account_id))
            kept.checked_at = clock.ticks()
            return kept.account
        kept.broken = row.status == "broken"
        if kept.account is None or kept.account.version != row.version:
            # Importing a platform's library takes seconds; heartbeats must not wait for it.
            await asyncio.to_thread(self._channels[row.channel].load)
            opened = self._open(row)
            self._retire(kept)
            kept.account = opened
        kept.checked_at = clock.ticks()
        return kept.account

    def _open(self, row: accounts.AccountRow) -> OpenAccount:
        channel = self._channels[row.channel]
        context = sealing_context(row.brand_id, row.id)
        plain = orjson.loads(self._sealer.open(row.credentials, context=context))
        shelf = Shelf(
            self._database,
            self._store,
            brand_id=row.brand_id,
            account_id=row.id,
            pictures=channel.capabilities.pictures,
        )
        sender = channel.open(
            channel.credentials.model_validate(plain), shelf=shelf, addresses=self._addresses
        )
        return OpenAccount(channel, sender, row.settings, row.version)

    def _retire(self, kept: _Kept) -> None:
        if kept.account is not None:
            self._retired.append((clock.ticks(), kept.account.sender))
            kept.account = None

    async def _change_status(
        self, brand_id: UUID, account_id: UUID, *, working: bool, reason: str | None
    ) -> None:
        if kept := self._kept.get((brand_id, account_id)):
            kept.broken = not working
        kind: EventType = "account.recovered" if working else "account.broken"
        async with self._database.connection(brand_id) as connection:
            changed = await accounts.change_status(
                connection,
                brand_id=brand_id,
                account_id=account_id,
                working=working,
                reason=reason,
            )
            if changed is None:
                return
            if working:
                await lanes.unpause(connection, lane_id=account_id)
            told = status_event(kind, account_id=account_id, channel=changed, reason=reason)
            await events.record(connection, brand_id, [told])
        log.warning(kind, account=str(account_id), channel=changed, reason=reason)


def status_event(
    kind: EventType, *, account_id: UUID, channel: str, reason: str | None
) -> events.EventRow:
    """Return what the brand is told when an account breaks or recovers."""
    data: dict[str, object] = {"account_id": str(account_id), "channel": channel, "reason": reason}
    return events.EventRow(id=new_id(), type=kind, at=clock.now(), data=data)
