"""What a caller hears about an event that was recorded before, or that is no line of the ledger."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import asyncpg

from services.consent.evidence import Halves
from shared.contracts.consent import ConsentEventIn, ConsentRecorded, Reached
from shared.problems import Problem

# What is said is recorded as what it turned out to be: a START that only ends a pause, the answer
# to a question, a stranger's doubts.
_BECAME: Mapping[str, tuple[str, ...]] = {
    "grant": ("grant", "confirm", "resume"),
    "confirm": ("confirm", "seen"),
    "decline": ("revoke", "seen"),
    "pause": ("pause", "seen"),
}


class Erased(Exception):
    """The event was recorded before, of a person who was erased since."""

    def __init__(self, recorded: ConsentRecorded) -> None:
        """Hold the answer of then, without what is lost: the addresses where it held."""
        super().__init__("the person was erased")
        self.recorded = recorded


def repeated(halves: Halves, event: ConsentEventIn, line: asyncpg.Record) -> ConsentRecorded:
    """Return what was answered when this id was recorded first; raises `Erased`."""
    same = ["account_id", "scope"]
    if "confirm" not in (event.action, line["action"]) and event.action != "decline":
        # An answer is recorded for what its question asked.
        same.append("purpose")
    known = line["action"] in _BECAME.get(event.action, (event.action,))
    if not known or any(getattr(event, name) != line[name] for name in same):
        raise id_reused()
    if not halves.has(line["person_id"]):
        raise Erased(_answer(event, line, ()))
    sealed = halves.open(
        line["sealed"],
        person_id=line["person_id"],
        brand_id=event.brand_id,
        event_id=event.id,
    )
    if sealed.subject.address != event.address:
        raise id_reused()
    return _answer(event, line, sealed.reaches)


def _answer(
    event: ConsentEventIn, line: asyncpg.Record, reaches: tuple[Reached, ...]
) -> ConsentRecorded:
    return ConsentRecorded(
        id=event.id,
        seq=line["seq"],
        person_id=line["person_id"],
        state=line["outcome"],
        reason=line["reason"],
        effective_at=line["recorded_at"],
        paused_until=line["expires_at"] if line["outcome"] == "paused" else None,
        reaches=reaches,
    )


def seen_again(event: ConsentEventIn, person_id: UUID, known_since: datetime) -> ConsentRecorded:
    """Return the answer to a sight that changes nothing: no line of the ledger, so sequence 0."""
    return ConsentRecorded(
        id=event.id,
        seq=0,
        person_id=person_id,
        state="unchanged",
        effective_at=known_since,
        reaches=(),
    )


def id_reused() -> Problem:
    """Return the refusal of an id that already names another event."""
    return Problem(409, "id_reused", "This id was used for something else.")
