"""The rows of the inbox as its worker needs them: read and finished by the lot."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import asyncpg

from services.gateway.gather import Gather
from services.gateway.queries import inbox as queries
from shared import clock
from shared.database import Database


@dataclass(frozen=True, slots=True)
class Work:
    """A row that is due."""

    slice: int
    seq: int
    brand_id: UUID
    inbox_id: UUID
    person: int
    tries: int
    urgent: bool


class Finished(NamedTuple):
    """How a row ended: `done`, or `dead` for a reason; and what is noted about it."""

    state: str
    reason: str | None
    events: object
    forgets: bool = False
    """The row told of somebody who is erased now: what it says is not kept."""


class Rows:
    """Reads and writes what is being handled, for many persons at once."""

    def __init__(self, database: Database) -> None:
        """Use a few connections of `database`, whoever asks."""
        self._database = database
        self.load: Gather[Work, asyncpg.Record | None] = Gather(self._load)
        self._finish: Gather[tuple[Work, Finished], None] = Gather(
            self._finish_all, alone=(asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
        )

    async def finish(self, work: Work, finished: Finished) -> None:
        """Write down how a row ended, and take it off the list of work."""
        await self._finish((work, finished))

    async def drop(self, work: Work) -> None:
        """Take off the list what is done already."""
        async with self._database.connection() as connection:
            await queries.drop_work(connection, [_place(work)])

    async def postpone(self, work: Work, seconds: float) -> None:
        """Try it again later; the person's other rows wait for it."""
        async with self._database.connection() as connection:
            await queries.postpone(
                connection, slice=work.slice, person=work.person, seq=work.seq, seconds=seconds
            )

    async def count_attempt(self, work: Work, reason: str) -> None:
        """Note that handling it broke, and on what."""
        async with self._database.connection(work.brand_id) as connection:
            await queries.count_attempt(
                connection, brand_id=work.brand_id, inbox_id=work.inbox_id, reason=reason
            )

    async def _load(self, works: Sequence[Work]) -> list[asyncpg.Record | None]:
        found: dict[UUID, asyncpg.Record] = {}
        for brand_id, numbers in _by_brand(works):
            async with self._database.connection(brand_id, durable=False) as connection:
                rows = await queries.load(
                    connection, brand_id=brand_id, inbox_ids=[works[n].inbox_id for n in numbers]
                )
            found.update((row["id"], row) for row in rows)
        return [found.get(work.inbox_id) for work in works]

    async def _finish_all(self, ended: Sequence[tuple[Work, Finished]]) -> list[None]:
        now = clock.now()
        for brand_id, numbers in _by_brand([work for work, _ in ended]):
            some = [ended[n] for n in numbers]
            async with self._database.connection(brand_id) as connection:
                await queries.finish(
                    connection,
                    brand_id=brand_id,
                    ended=[(work.inbox_id, *finished[:3]) for work, finished in some],
                    now=now,
                )
                if gone := [work.inbox_id for work, finished in some if finished.forgets]:
                    await queries.empty_rows(connection, brand_id=brand_id, inbox_ids=gone)
                await queries.drop_work(connection, [_place(work) for work, _ in some])
        return [None] * len(ended)


def _place(work: Work) -> tuple[int, int, int]:
    return work.slice, work.person, work.seq


def _by_brand(works: Sequence[Work]) -> Iterator[tuple[UUID, list[int]]]:
    """Return the positions of each brand's work: row-level security shows one brand at a time."""
    numbers: dict[UUID, list[int]] = defaultdict(list)
    for number, work in enumerate(works):
        numbers[work.brand_id].append(number)
    return iter(numbers.items())
