"""Whose messages a lane sends next: replies before campaigns, and every campaign its turn. Pure."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

BULK = 0.1
"""The part of a lane's pace that campaigns keep, however many single messages wait."""


class Turns:
    """Deficit round-robin (Shreedhar and Varghese, https://doi.org/10.1145/217382.217453).

    A campaign whose turn was cut short by the end of a batch has the rest of it later, so over time
    each of those that wait sends as much as the others, however few go into one batch.
    """

    def __init__(self) -> None:
        """Nobody is owed anything."""
        self._order: list[UUID] = []
        self._owed: Counter[UUID] = Counter()
        self._bulk = 0.0
        self._quantum = 1

    def singles(self, room: int, *, bulk_waits: bool) -> int:
        """Return how many of `room` places single messages may take before campaigns."""
        if not bulk_waits:
            self._bulk = 0.0
            return room
        self._bulk += room * BULK
        kept = min(room, int(self._bulk))
        return room - kept

    def bulk_took(self, places: int) -> None:
        """Count what campaigns took: they are owed no more than they could use."""
        self._bulk = max(0.0, min(self._bulk - places, 1.0))

    def begin(self, campaigns: Sequence[UUID], room: int) -> None:
        """Set the table for a batch: who is new sits at the end, who is gone is owed nothing."""
        self._quantum = max(1, -(-room // max(1, len(campaigns))))
        stay = [each for each in self._order if each in campaigns]
        self._order = stay + [each for each in campaigns if each not in stay]
        self._owed = Counter({each: self._owed[each] for each in stay})

    def next(self, room: int) -> tuple[UUID, int] | None:
        """Return whose turn it is and how many it may take; none when nobody is left."""
        if not self._order or room <= 0:
            return None
        first = self._order[0]
        if self._owed[first] <= 0:
            self._owed[first] += self._quantum
        return first, min(room, self._owed[first])

    def took(self, campaign: UUID, places: int, *, more: bool) -> None:
        """Count a turn; who has nothing more leaves until the next batch, and is owed nothing."""
        self._owed[campaign] -= places
        if not more:
            self._order.remove(campaign)
            del self._owed[campaign]
        elif self._owed[campaign] <= 0:
            self._order.remove(campaign)
            self._order.append(campaign)
