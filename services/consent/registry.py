"""What the registry works with: a database, seals, signers, a bell for who follows the feed."""

import asyncio
from dataclasses import dataclass, field

from services.consent.person_keys import Evidences
from services.consent.signers import Signers
from services.consent.suppression import Suppressor
from shared.database import Database
from shared.problems import Problem


class Bell:
    """Wakes everybody in this process who waits for news; other processes look by themselves."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake all who wait now."""
        rung, self._rung = self._rung, asyncio.Event()
        rung.set()

    @property
    def next_ring(self) -> asyncio.Event:
        """The event that the next ring will set: take it before looking, wait for it after."""
        return self._rung


@dataclass(slots=True)
class Door:
    """Whether calls are answered now."""

    shut: Problem | None = None
    """Why not, and what to do."""


@dataclass(frozen=True, slots=True)
class Registry:
    """Made once per process and handed to whatever answers a call."""

    database: Database
    evidences: Evidences
    signers: Signers
    suppressor: Suppressor
    bell: Bell = field(default_factory=Bell)
    door: Door = field(default_factory=Door)
