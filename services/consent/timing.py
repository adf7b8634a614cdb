"""When a yes has to wait: quiet hours where the person lives, and caps over all that they get.

Asked beside the states, under the same transaction. What is decided stands in `quiet` and `caps`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from services.consent import caps, policy, quiet
from services.consent.countries import ZONES_WITH_HOURS, rules_of
from services.consent.queries import checks
from shared import clock
from shared.contracts.policy import BrandPolicy
from shared.zones import find_zone


@dataclass(slots=True)
class Timing:
    """The clock of one brand, at one moment."""

    now: datetime
    country: str
    zone: str
    """The brand's own, for people whose zone nobody told."""
    rules: BrandPolicy
    hours: bool
    """Quiet hours may hold for somebody."""
    _silences: dict[tuple[str | None, time | None, time | None], datetime | None] = field(
        default_factory=dict
    )

    @property
    def idle(self) -> bool:
        """Nobody has to wait for anything."""
        return not self.hours and not self.rules.caps

    def quiet_until(
        self, zone: str | None, start: time | None, end: time | None
    ) -> datetime | None:
        """Return when it is no longer quiet for whoever lives there, with these hours of their own.

        None where it is not quiet now. People who live alike are looked at once.
        """
        key = (zone, start, end)
        if key not in self._silences:
            self._silences[key] = self._quiet_until(*key)
        return self._silences[key]

    def _quiet_until(
        self, zone: str | None, start: time | None, end: time | None
    ) -> datetime | None:
        return quiet.quiet_until(self.now, self._place(zone), self._hours(zone, start, end))

    def open_from(
        self, moment: datetime, zone: str | None, start: time | None, end: time | None
    ) -> tuple[datetime, datetime | None]:
        """Return from when, at `moment` or later, they may be written to, and until when."""
        place, hours = self._place(zone), self._hours(zone, start, end)
        opens = quiet.quiet_until(moment, place, hours) or moment
        return opens, quiet.quiet_after(opens, place, hours)

    def _place(self, zone: str | None) -> ZoneInfo:
        place = find_zone(zone or self.zone) or find_zone(self.zone) or find_zone("UTC")
        assert place is not None
        return place

    def _hours(
        self, zone: str | None, start: time | None, end: time | None
    ) -> tuple[quiet.Window, ...]:
        own = None if start is None or end is None else (start, end)
        return quiet.windows(zone=zone, country=self.country, brand=self.rules.quiet_hours, own=own)


async def of_brand(connection: asyncpg.Connection, brand_id: UUID, purpose: str) -> Timing | None:
    """Return the clock for a purpose of a brand; none where nobody has to wait."""
    if not policy.waits(purpose):
        return None
    found = await checks.brand(connection, brand_id, strict_zones=ZONES_WITH_HOURS)
    if found is None:
        return None
    country, zone, told, somebody = found
    rules = policy.read_rules(told)
    hours = somebody or rules.quiet_hours is not None or rules_of(country).quiet_hours is not None
    timing = Timing(clock.now().astimezone(UTC), country, zone, rules, hours)
    return None if timing.idle else timing


@dataclass(frozen=True, slots=True)
class Wish:
    """A message that consent allows, and to whom; `message_id` is none for a mere question."""

    number: int
    person_id: UUID
    message_id: UUID | None


async def take_places(
    connection: asyncpg.Connection, brand_id: UUID, timing: Timing, wishes: Sequence[Wish]
) -> dict[int, datetime]:
    """Let each wish take a place under the brand's caps; return who must wait, and until when.

    Whoever has a place keeps it, however often it is asked; a mere question takes none. A place is
    not given back: what was let go may have arrived.
    """
    people = sorted({wish.person_id for wish in wishes})
    taking = any(wish.message_id for wish in wishes)
    found = await checks.contacts(connection, brand_id=brand_id, people=people, lock=taking)
    full: dict[int, datetime] = {}
    told = {who: _fresh(row, timing.now) for who, row in found.items()}
    had = {who: frozenset(row["message_ids"]) for who, row in found.items()}
    taken: list[tuple[UUID, UUID]] = []
    for wish in wishes:
        moments = told.setdefault(wish.person_id, [])
        if wish.message_id is not None and wish.message_id in had.get(wish.person_id, ()):
            continue
        until = caps.full_until(timing.now, moments, timing.rules.caps)
        if until is not None:
            full[wish.number] = until
        elif wish.message_id is not None:
            moments.append(timing.now)
            taken.append((wish.person_id, wish.message_id))
    stale = {who: len(row["at"]) - len(_fresh(row, timing.now)) for who, row in found.items()}
    for places in _one_each(taken):
        await checks.take_places(
            connection, brand_id=brand_id, places=places, stale=stale, at=timing.now
        )
        stale.update(dict.fromkeys((who for who, _ in places), 0))
    return full


def _fresh(row: asyncpg.Record, now: datetime) -> list[datetime]:
    return [at for at in row["at"] if at > now - caps.KEPT]


def _one_each(taken: Iterable[tuple[UUID, UUID]]) -> list[list[tuple[UUID, UUID]]]:
    """Split what was taken, so that nobody is twice in one statement."""
    lots: list[dict[UUID, UUID]] = []
    for person_id, message_id in taken:
        lot = next((lot for lot in lots if person_id not in lot), None)
        if lot is None:
            lots.append(lot := {})
        lot[person_id] = message_id
    return [list(lot.items()) for lot in lots]
