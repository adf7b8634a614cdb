"""Cut a text into clauses, as people would read them whose commas nobody trusts."""

from itertools import pairwise

from services.consent.clauses import Clause
from services.consent.lexicon import UNDETERMINED, Hit, find
from services.consent.spelling import Words

CLAUSE = 40
"""Words that are read together; a longer clause is cut, so that time grows with the text."""
LONG = 10
"""Words of a clause that is cut at its "and", "because" and the like."""
SHORT = 3
"""Words that such a cut leaves on either side at least."""


def cut(sentence: tuple[Words, ...]) -> list[tuple[Words, list[Hit]]]:
    """Return the clauses of a sentence, no longer than can be read at once, and what is in them."""
    short = (
        clause[start : start + longest]
        for clause in sentence
        if (longest := CLAUSE * _signs_a_word(clause))
        for start in range(0, len(clause), longest)
    )
    return [(words, list(find(words))) for words in short]


def _signs_a_word(words: Words) -> int:
    """Return how many units make a word: Chinese and Japanese are cut sign by sign."""
    return 2 if words[0] >= "\u2e80" and len(words[0]) == 1 else 1


def link(sentence: list[tuple[Words, list[Hit]]], language: str) -> list[list[Clause]]:
    """Return the clauses, each with those that go on with it: "aufhören", "mir zu schreiben"."""
    linked: list[list[Clause]] = []
    for clause in (clause for piece in sentence for clause in _clauses(*piece, language)):
        if linked and any(start == 0 for start, _ in clause.spans("link")):
            linked[-1].append(clause)
        else:
            linked.append([clause])
    return linked


def _clauses(words: Words, hits: list[Hit], language: str) -> list[Clause]:
    """Return the clause as this language knows it, cut at an "or else", and where it is long."""
    known = [hit for hit in hits if hit.language in (language, UNDETERMINED)]
    whole = Clause(words, known, language)
    kept = [0, *sorted(start for start, _ in whole.spans("else") if start)[:1]]
    if len(words) > LONG * _signs_a_word(words):
        for start, _ in whole.joints:
            if all(abs(start - other) >= SHORT for other in (*kept, len(words))):
                kept.append(start)
    if kept == [0]:
        return [whole]
    kept.sort()
    return [whole.part(*piece) for piece in pairwise((*kept, len(words)))]


def tell_what_is_named(clauses: list[Clause]) -> None:
    """Tell each clause how likely "delete it" speaks of the number that another has named."""
    if any(clause.has("list") for clause in clauses):
        named = 0.6 if any(clause.has("other") for clause in clauses) else 0.82
        for clause in clauses:
            clause.named = named
