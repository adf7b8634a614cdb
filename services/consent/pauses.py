"""How long a pause a person asks for: "pause 30 days", "non scrivetemi per due settimane"."""

from services.consent.clauses import Clause, Span
from services.consent.lexicon import NUMBERS, UNITS

LONGEST = 365
"""Days; whoever asks for a longer silence, or for none, is not understood."""


def asked_days(clause: Clause) -> int | None:
    """Return the days that are asked for, 0 where they are out of bounds, None for no length.

    A length counts beside a word for a pause or after a "for": "3 messages a day" is none.
    """
    openers = clause.spans("pause", "for")
    for unit, length in UNITS.items():
        for place in clause.spans(unit):
            found = _number(clause, place)
            if found is None:
                continue
            number, start = found
            if any(abs(start - end) <= 1 for _, end in openers) or _precedes(place, clause):
                days = number * length
                return days if 1 <= days <= LONGEST else 0
    return None


def _number(clause: Clause, unit: Span) -> tuple[int, int] | None:
    """Return the number right before a unit, and where it stands."""
    start, _ = unit
    if start and (digits := clause.words[start - 1]).isdecimal():
        return int(digits) if len(digits) <= 4 else LONGEST + 1, start - 1
    for number in NUMBERS:
        for place in clause.spans(number):
            if place[1] == start or place == unit:
                return int(number), place[0]
    if any(end == start for _, end in clause.spans("pause", "for")) and clause.has("pause"):
        return 1, start
    return None


def _precedes(unit: Span, clause: Clause) -> bool:
    """Is a word for a pause right behind the length, as in "30 day pause" and "2주 동안 중지"?"""
    return any(0 <= start - unit[1] <= 2 for start, _ in clause.spans("pause", "for"))
