"""What a caller hears about an event that was recorded before, or that is no line of the ledger."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import asyncpg

from services.consent.evidence import Evidences
from shared.contracts.consent import ConsentEventIn, ConsentRecorded
from shared.problems import Problem

# What is said to a question is recorded as what it turned out to be.
_BECAME: Mapping[str, tuple[str, ...]] = {
    "grant": ("grant", "confirm"),
    "confirm": ("confirm", "seen"),
    "decline": ("revoke", "seen"),
}


def repeated(evidences: Evidences, event: ConsentEventIn, line: asyncpg.Record) -> ConsentRecorded:
    """Return what was answered when this id was recorded first."""
    same = ["account_id", "address", "scope"]
    if "confirm" not in (event.action, line["action"]) and event.action != "decline":
        # An answer is recorded for what its question asked.
        same.append("purpose")
    known = line["action"] in _BECAME.get(event.action, (event.action,))
    if not known or any(getattr(event, name) != line[name] for name in same):
        raise id_reused()
    sealed = evidences.open(line["sealed"], brand_id=event.brand_id, event_id=event.id)
    return ConsentRecorded(
        id=event.id,
        seq=line["seq"],
        person_id=line["person_id"],
        state=line["outcome"],
        reason=line["reason"],
        effective_at=line["recorded_at"],
        reaches=sealed.reaches,
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
