"""Whose webhook is this: accounts' routes, known for at most a second.

Whoever asks while a question is on its way waits for the next one, and all of them ask together:
however many accounts are busy, there is one statement at a time.
"""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.gateway.queries import accounts
from shared import clock
from shared.database import Database
from shared.security.sealing import Sealer

KNOWN_FOR = 1.0
"""Seconds: a deleted account's webhooks are refused after so long on every replica."""
_LARGEST = 20_000


@dataclass(frozen=True, slots=True)
class Route:
    """Where an account's webhooks belong, and what proves that they are the platform's."""

    account_id: UUID
    brand_id: UUID
    channel: str
    secret: str


def secret_context(brand_id: UUID, account_id: UUID) -> str:
    """Return what an account's webhook secret is sealed for."""
    return f"{brand_id}|gateway.route|secret|{account_id}"


class Routes:
    """Finds routes by account, absent ones too."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        """Begin with none known."""
        self._database = database
        self._sealer = sealer
        self._known: dict[UUID, tuple[float, Route | None]] = {}
        self._opened: dict[UUID, tuple[bytes, str]] = {}
        self._wanted: dict[UUID, asyncio.Future[Route | None]] = {}
        self._asking = asyncio.Lock()

    async def find(self, account_id: UUID) -> Route | None:
        """Return an account's route; raises `DatabaseUnavailable`."""
        known = self._known.get(account_id)
        if known is not None and known[0] > clock.ticks():
            return known[1]
        waiting = self._wanted.get(account_id)
        if waiting is None:
            waiting = self._wanted[account_id] = asyncio.get_running_loop().create_future()
        if not self._asking.locked():
            async with self._asking:
                await self._ask_until_answered()
        return await asyncio.shield(waiting)

    async def _ask_until_answered(self) -> None:
        while self._wanted:
            wanted, self._wanted = self._wanted, {}
            try:
                found = await self._ask(list(wanted))
            except BaseException as error:
                for future in wanted.values():
                    if isinstance(error, Exception):
                        future.set_exception(error)
                        future.exception()  # Somebody may have stopped waiting for it.
                    else:
                        future.cancel()
                raise
            for account_id, future in wanted.items():
                future.set_result(found.get(account_id))

    async def _ask(self, account_ids: list[UUID]) -> dict[UUID, Route]:
        until = clock.ticks() + KNOWN_FOR
        async with self._database.connection() as connection:
            rows = await accounts.routes(connection, account_ids)
        found = {
            row["account_id"]: Route(
                row["account_id"], row["brand_id"], row["channel"], self._secret(row)
            )
            for row in rows
        }
        if len(self._known) + len(account_ids) > _LARGEST:
            self._known.clear()
            self._opened.clear()
        for account_id in account_ids:
            self._known[account_id] = (until, found.get(account_id))
        return found

    def _secret(self, row: asyncpg.Record) -> str:
        """Open the sealed secret, once for as long as it stays the same."""
        account_id, sealed = row["account_id"], row["secret"]
        opened = self._opened.get(account_id)
        if opened is None or opened[0] != sealed:
            context = secret_context(row["brand_id"], account_id)
            opened = (sealed, self._sealer.open(sealed, context=context).decode())
            self._opened[account_id] = opened
        return opened[1]
