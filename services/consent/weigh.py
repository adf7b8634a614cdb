"""Weigh the evidence in free text that a person wants to hear no more. Pure, and explained.

A sentence is read clause by clause and in one language at a time. Each rule finds roles
that stand in a certain relation ("stop" near "writing", "not" before "send me") and gives a weight
of 0 to 1; what is negated, told of the past, asked about or meant for a parcel gives none. Clauses
support each other: 1 - (1 - a)(1 - b). A doubt that the person utters caps the whole.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from services.consent.clauses import NEAR, Clause, gap
from services.consent.cutting import CLAUSE, cut, link, tell_what_is_named
from services.consent.hunches import hunch
from services.consent.lexicon import UNDETERMINED, UNITS, Hit
from services.consent.pauses import asked_days
from services.consent.rules import FOR_GOOD, RULES, Evidence
from services.consent.spelling import sentences

CLEAR = 0.8
"""From here on a revocation is recorded."""
DOUBTFUL = 0.45
"""From here on somebody should have a look."""
FOR_SOME_DAYS = 0.6
"""From here on an end with a length is a pause: less is at stake than with an end for good."""
CAP = 0.7
"""What a doubt leaves of any evidence: "maybe", "if you go on", "until Monday"."""

ENOUGH = 0.6
"""Of what the best language knows of the words, what another must know to be heard."""
MOST = 4
"""Languages that are tried for one text."""
CORE = frozenset(
    {"cease", "tell", "bar", "want", "no", "leave", "drop", "clear", "doubt", "pause", "stop"}
)
"""Parts without which a language has nothing to say."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """What free text weighs; `days` of the pause that is asked for, 0 where that is unclear.

    `doubted` where a doubt has capped the score.
    """

    score: float
    language: str
    rule: str
    days: int | None = None
    doubted: bool = False


def weigh(text: str) -> Weighed | None:
    """Return what a text weighs in the language that knows most of it.

    None where no word speaks of an end.
    """
    pieces = [cut(sentence) for sentence in sentences(text)]
    guess: Weighed | None = None
    for language in _languages(hit for sentence in pieces for _, hits in sentence for hit in hits):
        weighed: Weighed | None = None
        linked = [link(sentence, language) for sentence in pieces]
        tell_what_is_named([clause for each in linked for those in each for clause in those])
        for sentence in linked:
            if found := _weigh_sentence(sentence, language):
                weighed = found if weighed is None else _together(weighed, found)
        if weighed is not None:
            return weighed
        guess = guess or _guessed(linked, language)
    return guess


def _guessed(sentences: list[list[list[Clause]]], language: str) -> Weighed | None:
    """Return what may be meant where no rule is sure."""
    told = hunch(clause for sentence in sentences for those in sentence for clause in those)
    if told is None:
        return None
    return Weighed(told.weight, language, f"{told.name}:{told.words}")


def _languages(hits: Iterable[Hit]) -> list[str]:
    """Return the languages that know most of the words; none where no word is about an end.

    A cousin that shares a word or two must not overrule the language that is really spoken.
    """
    known: Counter[str] = Counter()
    telling = False
    for start, end, language, role in hits:
        known[language] += (end - start) ** 2
        telling = telling or role in CORE
    if not telling:
        return []
    del known[UNDETERMINED]
    enough = ENOUGH * max(known.values(), default=0)
    spoken = [language for language, count in known.most_common(MOST) if count >= enough]
    return spoken or [UNDETERMINED]


def _weigh_sentence(linked: list[list[Clause]], language: str) -> Weighed | None:
    clauses = [clause for those in linked for clause in those]
    if not any(clause.listed or clause.has(*CORE) for clause in clauses):
        return None
    asked = any(clause.has("ask") for clause in clauses)
    firm = [those for those in linked if not any(clause.has("else") for clause in those)]
    doubting = {"hedge"}
    best = [evidence for those in firm for evidence in _best(those, asked=asked)]
    if not best:
        doubting.add("else")
        best = [evidence for those in linked for evidence in _best(those, asked=asked)]
    days = _days(clauses, asked=asked)
    if not best:
        paused = any(clause.has("pause") for clause in clauses) and days is not None
        return Weighed(1.0, language, "pause:length", days) if paused and not asked else None
    score = _either(evidence.weight for evidence in best)
    heaviest = max(best, key=lambda evidence: evidence.weight)
    rule = f"free:{heaviest.name}:{heaviest.words}"
    if heaviest.name not in FOR_GOOD:
        doubting.update(("when",) if days is not None else ("when", "until"))
    doubts = [word for clause in clauses for role in sorted(doubting) for word in clause.said(role)]
    if doubts and score > CAP:
        score, rule = CAP, f"{rule} but {doubts[0]}"
    return Weighed(score, language, rule, days, doubted=bool(doubts))


def _days(clauses: list[Clause], *, asked: bool) -> int | None:
    """Return the length of the silence that is asked for in one of the clauses."""
    for clause in clauses:
        if clause.has(*UNITS):
            ends = _heaviest(clause, asked=asked) is not None
            if (days := asked_days(clause, ends=ends)) is not None:
                return days
    return None


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
    if not clause.listed and not clause.has(*CORE):
        return None
    found = [
        evidence
        for rule in RULES
        if not (asked and rule.silent_when_asked)
        if (evidence := rule.weigh(clause)) is not None
    ]
    best = max(found, key=lambda evidence: evidence.weight, default=None)
    if best and any(gap(who, best.place) <= NEAR for who in clause.spans("kin")):
        return replace(best, weight=min(best.weight, CAP), name=f"{best.name} of another")
    return best


def _together(one: Weighed, other: Weighed) -> Weighed:
    heavier = one if one.score >= other.score else other
    days = one.days if one.days is not None else other.days
    doubted = heavier.doubted and heavier.score == CAP
    score = heavier.score if doubted else _either((one.score, other.score))
    return Weighed(score, heavier.language, heavier.rule, days, heavier.doubted)


def _either(weights: Iterable[float]) -> float:
    against = 1.0
    for weight in weights:
        against *= 1.0 - weight
    return 1.0 - against
