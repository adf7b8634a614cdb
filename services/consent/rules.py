"""The ways to say that it is enough, and how heavily each of them weighs.

The weights are chosen by hand: what is clear by itself stands above 0.8, what needs support of
another clause at about 0.6. They were set on the tuned half of the corpus.
"""

from collections.abc import Callable
from dataclasses import dataclass

from services.consent.clauses import SCOPE, Clause


@dataclass(frozen=True, slots=True)
class Evidence:
    """How heavily a rule speaks for an end, and the words it heard."""

    weight: float
    name: str
    words: str


def _ceasing(clause: Clause) -> Evidence | None:
    """ "Stop sending", "smettete con questi messaggi": an end, and of what."""
    affirmed = set(clause.affirmed("cease"))
    for end, what in clause.pairs(("cease",), ("writing", "notes", "bar")):
        if end in affirmed and not clause.has("keep"):
            if clause.has("other") and not clause.has("notes"):
                return None
            return Evidence(0.9, "cease+contact", clause.text(end, what))
    return None


def _forbidding(clause: Clause) -> Evidence | None:
    """ "Don't write to me", "non mandatemi più niente": a command, negated."""
    if clause.has("tale", "keep"):
        return None
    for negation, command in clause.pairs(("not",), ("tell",), within=4):
        if negation > command and not clause.negation_may_follow:
            continue
        if negation < command and not clause.linked(negation, command):
            continue
        return _forbidden(clause, clause.text(negation, command))
    barred = clause.spans("bar")
    return _forbidden(clause, clause.text(barred[0]), me=True) if barred else None


def _forbidden(clause: Clause, words: str, *, me: bool = False) -> Evidence | None:
    if clause.has("other") and not clause.has("notes"):
        return None
    if clause.has("more"):
        return Evidence(0.92, "not+tell+more", words)
    if clause.has("notes") and clause.unexplained() <= 3:
        return Evidence(0.9, "not+tell+notes", words)
    if clause.unexplained() <= 1:
        return Evidence(0.82 if me or clause.has("me") else 0.6, "not+tell", words)
    return None


def _unwilling(clause: Clause) -> Evidence | None:
    """ "I don't want your messages any more": no wish to receive."""
    if clause.has("tale", "keep", "cease"):
        return None
    if clause.has("leave") and not clause.affirmed("leave"):
        return None
    for negation, wish in clause.pairs(("not",), ("want",), within=SCOPE):
        if negation > wish and not clause.negation_may_follow:
            continue
        words = clause.text(negation, wish)
        if clause.has("notes"):
            return Evidence(0.93 if clause.has("more") else 0.86, "not+want+notes", words)
        if clause.has("other"):
            return None
        if clause.has("writing", "tell"):
            return Evidence(0.86, "not+want+writing", words)
        if not clause.loose() or (clause.has("more") and not clause.unexplained()):
            return Evidence(0.5, "not+want", words)
    return None


def _enough(clause: Clause) -> Evidence | None:
    """ "No more messages", "basta pubblicità", "keine Werbung": none of it."""
    if clause.has("tale", "keep") or (clause.has("other") and not clause.has("more", "want")):
        return None
    for none, notes in clause.pairs(("no",), ("notes", "writing"), within=3):
        beside = notes[0] - none[1] <= 1 or clause.linked(none, notes)
        if beside if none < notes else clause.negation_may_follow:
            heavy = clause.unexplained() <= 2 or clause.has("more", "want")
            return Evidence(0.86 if heavy else 0.5, "no+notes", clause.text(none, notes))
    return None


def _leaving(clause: Clause) -> Evidence | None:
    """ "Unsubscribe me", "cancellatemi dalla lista": a way out."""
    if clause.has("keep"):
        return None
    if leaving := clause.affirmed("leave"):
        if clause.has("other") and not clause.has("list", "notes"):
            return Evidence(0.5, "leave", clause.text(leaving[0]))
        return Evidence(0.88, "leave", clause.text(leaving[0]))
    affirmed = set(clause.affirmed("drop"))
    for dropping, what in clause.pairs(("drop",), ("list",)):
        if dropping in affirmed:
            return Evidence(0.88, "drop+list", clause.text(dropping, what))
    return None


def _listed(clause: Clause) -> Evidence | None:
    """ "STOP. I said STOP.": a clause that would be heard if it stood alone."""
    if not clause.listed:
        return None
    words = clause.text(clause.listed[0])
    return Evidence(
        0.88 if clause.listed[0][1] - clause.listed[0][0] > 2 else 0.62, "listed", words
    )


def _plain(clause: Clause) -> Evidence | None:
    """ "Leave me alone": a phrase that is clear wherever it stands."""
    if clear := clause.affirmed("clear"):
        return Evidence(0.9, "clear", clause.text(clear[0]))
    if doubts := clause.spans("doubt"):
        return Evidence(0.55, "doubt", clause.text(doubts[0]))
    return None


def _bare_end(clause: Clause) -> Evidence | None:
    """ "Stop it now", "fermatevi fino a lunedì": an end, of nothing that is named."""
    ends = clause.affirmed("cease")
    if not ends or clause.has("tale", "keep", "other", "not"):
        return None
    loose = clause.loose()
    if not loose or (loose == 1 and clause.has("me", "until", "more")):
        return Evidence(0.6, "cease", clause.text(ends[0]))
    return None


@dataclass(frozen=True, slots=True)
class Rule:
    """A way to say that it is enough; some say nothing in a question of why or when."""

    weigh: Callable[[Clause], Evidence | None]
    silent_when_asked: bool = True


RULES = (
    Rule(_ceasing, silent_when_asked=False),
    Rule(_listed, silent_when_asked=False),
    Rule(_forbidding),
    Rule(_unwilling),
    Rule(_enough),
    Rule(_leaving, silent_when_asked=False),
    Rule(_plain, silent_when_asked=False),
    Rule(_bare_end),
)
