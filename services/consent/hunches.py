"""What may ask for an end though no rule is sure: worth a question, and a pause until it is clear.

A short message about nothing else, in which a word of ending or a negation stands near a word of
contact. It costs a person who meant nothing of the kind one question; who did mean it is left alone
at once.
"""

from collections.abc import Iterable

from services.consent.clauses import NEAR, Clause
from services.consent.rules import Evidence, heard

WEIGHT = 0.5
"""Doubtful, and never a stop by itself."""
LONGEST = 30
"""Words of a message that is guessed about; longer ones are about many things."""
UNKNOWN = 3
"""Words near by with a meaning that we do not know; more of them are about something else."""
_ELSE = ("other", "elsewhere", "keep", "ask", "tale")
_PAIRS = (
    (("cease", "drop", "leave", "bar"), ("tell", "writing", "notes", "list", "self")),
    (("not",), ("tell", "writing", "bar", "list", "leave")),
    (("no",), ("tell", "writing", "notes", "bar", "list")),
)


def hunch(clauses: Iterable[Clause]) -> Evidence | None:
    """Return what little speaks for an end in a message that no rule has heard."""
    clauses = tuple(clauses)
    if sum(len(clause.words) for clause in clauses) > LONGEST:
        return None
    if any(clause.has(*_ELSE) for clause in clauses):
        return None
    for clause in clauses:
        affirmed = set(clause.affirmed("cease", "drop", "leave", "bar", "not", "no"))
        for ending, contact in _PAIRS:
            for one, other in clause.pairs(ending, contact, within=NEAR):
                told = heard(clause, WEIGHT, "hunch", one, other)
                if one in affirmed and one != other and clause.unexplained(told.place) <= UNKNOWN:
                    return told
    return None
