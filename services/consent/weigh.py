"""Weigh the evidence in free text that a person wants to hear no more. Pure, and explained.

A sentence is read clause by clause and in one language at a time. Each rule finds roles
that stand in a certain relation ("stop" near "writing", "not" before "send me") and gives a weight
of 0 to 1; what is negated, told of the past, asked about or meant for a parcel gives none. Clauses
support each other: 1 - (1 - a)(1 - b). A doubt that the person utters caps the whole.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from services.consent.clauses import Clause
from services.consent.lexicon import UNDETERMINED, Hit, find
from services.consent.pauses import asked_days
from services.consent.rules import RULES, Evidence
from services.consent.spelling import Words, sentences

CLEAR = 0.8
"""From here on a revocation is recorded."""
DOUBTFUL = 0.45
"""From here on somebody should have a look."""
CAP = 0.7
"""What a doubt leaves of any evidence: "maybe", "if you go on", "until Monday"."""

ENOUGH = 0.6
"""Of what the best language knows of the words, what another must know to be heard."""
CLAUSE = 40
"""Words that are read together; a longer clause is cut, so that time grows with the text."""
CORE = frozenset(
    {"cease", "tell", "bar", "want", "no", "leave", "drop", "clear", "doubt", "pause", "stop"}
)
"""Parts without which a language has nothing to say."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """What free text weighs; `days` of the pause that is asked for, 0 where that is unclear."""

    score: float
    language: str
    rule: str
    days: int | None = None


def weigh(text: str) -> Weighed | None:
    """Return what a text weighs in the language that knows most of it.

    None where no word speaks of an end.
    """
    pieces = [_found(sentence) for sentence in sentences(text)]
    for language in _languages(hit for sentence in pieces for _, hits in sentence for hit in hits):
        weighed: Weighed | None = None
        for sentence in pieces:
            if found := _weigh_sentence(_linked(sentence, language), language):
                weighed = found if weighed is None else _together(weighed, found)
        if weighed is not None:
            return weighed
    return None


def _found(sentence: tuple[Words, ...]) -> list[tuple[Words, list[Hit]]]:
    """Return the clauses of a sentence, no longer than can be read at once, and what is in them."""
    cut = (
        clause[start : start + CLAUSE]
        for clause in sentence
        for start in range(0, len(clause), CLAUSE)
    )
    return [(words, list(find(words))) for words in cut]


def _linked(sentence: list[tuple[Words, list[Hit]]], language: str) -> list[list[Clause]]:
    """Return the clauses, each with those that go on with it: "aufhören", "mir zu schreiben"."""
    linked: list[list[Clause]] = []
    for words, hits in sentence:
        clause = Clause(
            words, [hit for hit in hits if hit.language in (language, UNDETERMINED)], language
        )
        if linked and any(start == 0 for start, _ in clause.spans("link")):
            linked[-1].append(clause)
        else:
            linked.append([clause])
    return linked


def _languages(hits: Iterable[Hit]) -> list[str]:
    """Return the languages that know most of the words; none where no word is about an end.

    A cousin that shares a word or two must not overrule the language that is really spoken.
    """
    known: Counter[str] = Counter()
    telling = False
    for hit in hits:
        known[hit.language] += (hit.end - hit.start) ** 2
        telling = telling or hit.role in CORE
    if not telling:
        return []
    del known[UNDETERMINED]
    enough = ENOUGH * max(known.values(), default=0)
    return [language for language, count in known.most_common() if count >= enough] or [
        UNDETERMINED
    ]


def _weigh_sentence(linked: list[list[Clause]], language: str) -> Weighed | None:
    clauses = [clause for those in linked for clause in those]
    asked = any(clause.has("ask") for clause in clauses)
    best = [evidence for those in linked for evidence in _best(those, asked=asked)]
    days = next((days for clause in clauses if (days := asked_days(clause)) is not None), None)
    if not best:
        paused = any(clause.has("pause") for clause in clauses) and days is not None
        return Weighed(1.0, language, "pause:length", days) if paused and not asked else None
    score = _either(evidence.weight for evidence in best)
    heaviest = max(best, key=lambda evidence: evidence.weight)
    rule = f"free:{heaviest.name}:{heaviest.words}"
    doubts = [
        word for role in ("hedge", "until") for clause in clauses for word in clause.said(role)
    ]
    if doubts and score > CAP:
        score, rule = CAP, f"{rule} but {doubts[0]}"
    return Weighed(score, language, rule, days)


def _best(linked: list[Clause], *, asked: bool) -> list[Evidence]:
    """Return what the clauses say one by one, or what they say together where that is more."""
    apart = [evidence for clause in linked if (evidence := _heaviest(clause, asked=asked))]
    if len(linked) == 1 or sum(len(clause.words) for clause in linked) > CLAUSE:
        return apart
    together = _heaviest(Clause.of(linked), asked=asked)
    if together and together.weight > _either(evidence.weight for evidence in apart):
        return [together]
    return apart


def _heaviest(clause: Clause, *, asked: bool) -> Evidence | None:
    found = [
        evidence
        for rule in RULES
        if not (asked and rule.silent_when_asked)
        if (evidence := rule.weigh(clause)) is not None
    ]
    return max(found, key=lambda evidence: evidence.weight, default=None)


def _together(one: Weighed, other: Weighed) -> Weighed:
    heavier = one if one.score >= other.score else other
    days = one.days if one.days is not None else other.days
    capped = " but " in heavier.rule
    score = heavier.score if capped else _either((one.score, other.score))
    return Weighed(score, heavier.language, heavier.rule, days)


def _either(weights: Iterable[float]) -> float:
    against = 1.0
    for weight in weights:
        against *= 1.0 - weight
    return 1.0 - against
