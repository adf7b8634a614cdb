"""Which slices of the inbox this process works on.

A slice has one owner at a time, so a person's webhooks are handled in their order however many
gateways there are. An owner that dies is followed after `LEASE` seconds. Each live process holds
its fair share; a slice is only given away when nothing of it is being handled.

Order holds within what one gateway committed. Two webhooks of one person that two gateways take at
the same moment have no order of their own: the platform itself sent them at once.
"""

import math
from collections.abc import Callable
from uuid import UUID

import structlog

from services.gateway.queries import slices as queries
from shared import clock
from shared.database import Database
from shared.ids import new_id

log = structlog.get_logger()

SLICES = 16
LEASE = 6.0
RENEW_EVERY = 2.0


class Slices:
    """The slices of one process; `step` renews, takes and gives away."""

    def __init__(self, database: Database, *, busy: Callable[[], set[int]] = set) -> None:
        """Begin with none; `busy` tells the slices of what is being handled."""
        self.owner: UUID = new_id()
        self._database = database
        self._busy = busy
        self._held: list[int] = []
        self._until = -math.inf
        self._next = -math.inf

    @property
    def held(self) -> list[int]:
        """The slices that are surely ours now."""
        return self._held if clock.ticks() < self._until else []

    async def step(self) -> int:
        """Renew the leases when it is time; return 0, for there is never more to do."""
        if clock.ticks() < self._next:
            return 0
        # The lease counts from before it was asked for, so it never seems longer than it is.
        asked_at = clock.ticks()
        async with self._database.connection() as connection:
            members = await queries.beat(connection, self.owner, alive_for=LEASE)
            held = await queries.renew(connection, self.owner, seconds=LEASE)
            share = math.ceil(SLICES / max(1, members))
            spare = [number for number in held if number not in self._busy()][share - len(held) :]
            if len(held) > share and spare:
                await queries.release(connection, self.owner, spare)
                held = [number for number in held if number not in spare]
            elif len(held) < share:
                held += await queries.take(
                    connection, self.owner, seconds=LEASE, limit=share - len(held)
                )
        if set(held) != set(self._held):
            log.info("slices.held", slices=len(held), members=members)
        self._held = held
        self._until = asked_at + LEASE
        self._next = asked_at + RENEW_EVERY
        return 0

    async def leave(self) -> None:
        """Let others go on at once."""
        self._held, held = [], self._held
        async with self._database.connection() as connection:
            await queries.release(connection, self.owner, held)
            await queries.leave(connection, self.owner)
