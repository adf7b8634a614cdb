"""Things to be done once, by whichever process comes first: the list, and who takes from it.

An item is leased by moving its `due_at` ahead, so one whose worker died comes up again. What is
done for it can be repeated without harm; the lease only saves doing it twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import asyncpg
import structlog

from shared.database import Database
from shared.ids import derived_id

log = structlog.get_logger()

Kind = Literal[
    "launch",
    "expand",
    "cancel",
    "finish",
    "tally",
    "clear_account",
    "opted_out",
    "bad_content",
    "refresh",
    "end",
    "take_back",
    "replay",
]

LEASE = timedelta(seconds=15)
"""How long one step may take before another process tries as well."""
_LONGEST_WAIT = timedelta(minutes=5)
"""Between two tries of something that fails."""
_IN_HAND = 8
"""Items that one process works on at the same time."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to be done."""

    id: UUID
    brand_id: UUID
    kind: str
    subject_id: UUID
    attempts: int


DONE = None
"""What a handler returns when nothing is left to do."""
Handler = Callable[[Item], Awaitable[timedelta | None]]
"""Does one step; returns after how long the next one is due, or `DONE`."""


async def later(
    connection: asyncpg.Connection,
    brand_id: UUID,
    kind: Kind,
    subject_id: UUID,
    *,
    due_at: datetime | None = None,
) -> None:
    """Put something on the list, in the caller's transaction; at once unless `due_at` says when.

    What is on the list already is moved forward, never back.
    """
    await connection.execute(
        "INSERT INTO dispatcher.work (id, brand_id, kind, subject_id, due_at)"
        " VALUES ($1, $2, $3, $4, coalesce($5, now())) ON CONFLICT (kind, subject_id)"
        " DO UPDATE SET due_at = least(work.due_at, excluded.due_at), attempts = 0",
        derived_id(subject_id, kind),
        brand_id,
        kind,
        subject_id,
        due_at,
    )


async def never(connection: asyncpg.Connection, kind: Kind, subject_id: UUID) -> None:
    """Take something off the list, in the caller's transaction."""
    await connection.execute(
        "DELETE FROM dispatcher.work WHERE kind = $1 AND subject_id = $2", kind, subject_id
    )


_CLAIM = """
UPDATE dispatcher.work SET due_at = now() + $1, attempts = attempts + 1
WHERE id IN (SELECT id FROM dispatcher.work WHERE due_at <= now() AND kind = ANY($2)
    ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING id, brand_id, kind, subject_id, attempts, due_at
"""


class WorkRunner:
    """Takes what is due and hands it to the handler of its kind."""

    def __init__(self, database: Database, handlers: Mapping[str, Handler]) -> None:
        """Work on the kinds that have a handler."""
        self._database = database
        self._handlers = handlers

    async def step(self) -> int:
        """Do one step of everything that is due; return how many."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_CLAIM, LEASE, list(self._handlers), _IN_HAND)
        async with asyncio.TaskGroup() as group:
            for row in rows:
                leased_until = row["due_at"]
                group.create_task(self._do(Item(*list(row)[:5]), leased_until))
        return len(rows)

    async def _do(self, item: Item, leased_until: datetime) -> None:
        """Do one item; one that breaks is tried again later and does not hold up the others."""
        wait: timedelta | None
        try:
            wait = await self._handlers[item.kind](item)
            failed = False
        except Exception:  # the edge of a worker
            log.exception("work.broke", kind=item.kind, subject=str(item.subject_id))
            wait = min(timedelta(seconds=0.25) * 2 ** min(item.attempts, 16), _LONGEST_WAIT)
            failed = True
        # Only under our own lease: what was put on the list again meanwhile is due as it says.
        async with self._database.connection() as connection:
            if wait is None:
                await connection.execute(
                    "DELETE FROM dispatcher.work WHERE id = $1 AND due_at = $2",
                    item.id,
                    leased_until,
                )
            else:
                await connection.execute(
                    "UPDATE dispatcher.work SET due_at = now() + $3,"
                    " attempts = CASE WHEN $4 THEN attempts ELSE 0 END"
                    " WHERE id = $1 AND due_at = $2",
                    item.id,
                    leased_until,
                    wait,
                    failed,
                )
