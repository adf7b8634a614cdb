"""Commit intents, those of all lanes of a brand together: a commit costs the same for many.

While one commit is on its way the next intents gather, so the slower the disk is the more lanes
share each of its turns. The order of docs/protocol.md stays: nobody hears that a message may go
before its intent is on disk.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.dispatcher.queries.intents import Intent, intend
from shared.database import Database

_Key = tuple[UUID, date]
"""Brand and day: what one statement is about."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One lane's intents, and what it will hear of them."""

    intents: Sequence[Intent]
    going: asyncio.Future[set[UUID]]


class Intents:
    """Writes the intents of every lane of this process."""

    def __init__(self, database: Database) -> None:
        """Write to `database`."""
        self._database = database
        self._waiting: dict[_Key, list[_Wanted]] = {}
        self._committing: dict[_Key, asyncio.Task[None]] = {}

    async def commit(self, brand_id: UUID, day: date, intents: Sequence[Intent]) -> set[UUID]:
        """Return the messages that may go, once that is on disk.

        A cancellation comes through only when the outcome is known: a settlement that overtook its
        intent would find nothing to settle.
        """
        key = (brand_id, day)
        wanted = _Wanted(intents, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(key, []).append(wanted)
        if key not in self._committing:
            self._committing[key] = asyncio.create_task(self._run(key), name="intents")
        try:
            return await asyncio.shield(wanted.going)
        except asyncio.CancelledError:
            await asyncio.wait([wanted.going])
            if not wanted.going.cancelled():
                wanted.going.exception()  # Nobody is left who could be told of it.
            raise

    async def _run(self, key: _Key) -> None:
        # One turn of the loop: slots come back in groups, and so several lanes ask at once.
        await asyncio.sleep(0)
        try:
            while waiting := self._waiting.pop(key, None):
                await self._commit(key, waiting)
        finally:
            del self._committing[key]
            for wanted in self._waiting.pop(key, ()):
                wanted.going.cancel()

    async def _commit(self, key: _Key, waiting: Sequence[_Wanted]) -> None:
        brand_id, day = key
        # In one order, so that two transactions which want the same rows do not wait for each
        # other in a circle.
        intents = sorted((i for wanted in waiting for i in wanted.intents), key=_message_id)
        try:
            async with self._database.statement(brand_id) as connection:
                going = await intend(connection, brand_id=brand_id, day=day, intents=intents)
        except Exception as error:
            for wanted in waiting:
                wanted.going.set_exception(error)
        except BaseException:
            for wanted in waiting:
                wanted.going.cancel()
            raise
        else:
            for wanted in waiting:
                wanted.going.set_result({i.message_id for i in wanted.intents} & going)


def _message_id(intent: Intent) -> UUID:
    return intent.message_id
