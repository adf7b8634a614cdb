"""This process among the dispatchers: one heartbeat is the lease on all of its lanes.

No two hosts' clocks are compared. A member counts its lease from *before* the heartbeat that
renewed it was sent; the others count from when they *saw* the last one. So a member is declared
dead only after its own clock has told it, whatever the clocks show.
"""

from uuid import UUID

from services.dispatcher.queries import lanes
from shared import clock
from shared.database import Database
from shared.ids import new_id

LEASE = 6.0
"""Seconds that a heartbeat is good for."""
HEARTBEAT = 2.0
"""Seconds between two heartbeats."""
SEEN_MARGIN = 0.5
"""Seconds that others wait longer: two clocks may run at slightly different rates."""


class Membership:
    """One life of one process. Declared dead, it begins another with a new id."""

    def __init__(self, database: Database) -> None:
        """Know the others by their beats; nothing is joined yet."""
        self.id = new_id()
        self.until = 0.0
        """The lease's end, in `clock.ticks()`."""
        self.lapsed = False
        """The last heartbeat came so late that the lease had ended before it."""
        self._database = database
        self._seen: dict[UUID, tuple[int, float]] = {}

    async def join(self) -> None:
        """Begin a life."""
        self.id = new_id()
        before = clock.ticks()
        async with self._database.connection() as connection:
            await lanes.join(connection, member_id=self.id)
        self.until = before + LEASE

    async def beat(self) -> bool:
        """Renew the lease; false when it is lost for good."""
        before = clock.ticks()
        async with self._database.connection() as connection:
            alive = await lanes.beat(connection, member_id=self.id)
        self.lapsed = clock.ticks() >= self.until
        self.until = before + LEASE if alive else 0.0
        return alive

    async def bury_the_dead(self) -> int:
        """Free the lanes of members whose beat has stood still for a lease; return how many."""
        async with self._database.connection() as connection:
            beats = await lanes.others(connection, member_id=self.id)
            await lanes.free_orphans(connection)
        seen_at = clock.ticks()
        buried = 0
        for member_id, beat in beats.items():
            last, since = self._seen.get(member_id, (-1, 0.0))
            if beat != last:
                self._seen[member_id] = (beat, seen_at)
            elif seen_at - since > LEASE + SEEN_MARGIN:
                async with self._database.connection() as connection:
                    buried += await lanes.bury(connection, member_id=member_id, beat=beat)
        self._seen = {i: seen for i, seen in self._seen.items() if i in beats}
        return buried

    async def leave(self) -> None:
        """End this life in good order: every lane is free at once."""
        self.until = 0.0
        async with self._database.connection() as connection:
            await lanes.leave(connection, member_id=self.id)
