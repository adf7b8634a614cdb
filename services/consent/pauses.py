"""How long a pause a person asks for: "pause 30 days", "non scrivetemi per due settimane"."""

from services.consent.clauses import Clause, Span
from services.consent.lexicon import NUMBERS, UNITS

LONGEST = 365
"""Days; whoever asks for a longer silence, or for none, is not understood."""
MOST_YEARS = 5
"""More years than these are somebody's age: "my grandmother is 85 years old"."""


def asked_days(clause: Clause, *, ends: bool) -> int | None:
    """Return the days that are asked for, 0 where they are out of bounds, None for no length.

    A length counts beside a word for a pause or after a "for", and where the clause asks for an end
    (`ends`) also alone: "zwei Wochen keine Werbung". "3 messages a day" is none, and neither is a
    time that has passed (`since`): "two weeks ago".
    """
    if clause.has("since"):
        return None
    for unit, length in UNITS.items():
        for place in clause.spans(unit):
            found = _number(clause, place)
            if found is None:
                number, counts = 1, ends and unit != "day" and _alone_after_for(place, clause)
            else:
                number, start = found
                counts = _is_beside_opener(start, place, clause)
                counts = counts or (ends and (number > 1 or unit != "day"))
            if counts and not (unit == "year" and number > MOST_YEARS):
                days = number * length
                return days if 1 <= days <= LONGEST else 0
    return None


def _number(clause: Clause, unit: Span) -> tuple[int, int] | None:
    """Return the number right before a unit, or in the same word, and where it stands."""
    start, _ = unit
    if start and (digits := clause.words[start - 1]).isdecimal():
        return int(digits) if len(digits) <= 4 else LONGEST + 1, start - 1
    numbers = [(int(number), place) for number in NUMBERS for place in clause.spans(number)]
    for number, place in numbers:
        if place[1] == start:
            return number, place[0]
    if not any(place != unit for _, place in numbers) and not _has_digits(clause):
        for number, place in numbers:
            if place == unit:
                return number, place[0]
    if any(end == start for _, end in clause.spans("pause", "for")) and clause.has("pause"):
        return 1, start
    return None


def _has_digits(clause: Clause) -> bool:
    return any(word.isdecimal() for word in clause.words)


def _is_beside_opener(start: int, unit: Span, clause: Clause) -> bool:
    """Does the length follow a "for", or go with a word for a pause: "2주 동안 중지"?"""
    openers = clause.spans("pause", "for")
    return any(abs(start - end) <= 1 or 0 <= opener - unit[1] <= 2 for opener, end in openers)


def _alone_after_for(unit: Span, clause: Clause) -> bool:
    """Is it "for the next month", with no other number that it might belong to?"""
    after = any(end == unit[0] for _, end in clause.spans("for"))
    return after and not clause.has(*NUMBERS) and not _has_digits(clause)
