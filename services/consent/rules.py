"""The ways to say that it is enough, and how heavily each of them weighs.

The weights are chosen by hand: what is clear by itself stands above 0.8, what needs support of
another clause at about 0.6. They were set on the tuned corpora.
"""

from collections.abc import Callable
from dataclasses import dataclass

from services.consent.clauses import SCOPE, Clause, Span


@dataclass(frozen=True, slots=True)
class Evidence:
    """How heavily a rule speaks for an end, and the words it heard from one to another place."""

    weight: float
    name: str
    words: str
    place: Span


def heard(clause: Clause, weight: float, name: str, *spans: Span) -> Evidence:
    """Return the evidence of words that stand in these places."""
    place = (min(start for start, _ in spans), max(end for _, end in spans))
    return Evidence(weight, name, clause.text(place), place)


def _ceasing(clause: Clause) -> Evidence | None:
    """ "Stop sending", "smettete con questi messaggi": an end, and of what."""
    if clause.has("keep") or (clause.has("other") and not clause.has("notes")):
        return None
    affirmed = set(clause.affirmed("cease"))
    for end, what in clause.pairs(("cease",), ("writing", "notes", "bar")):
        if end in affirmed:
            return heard(clause, 0.9, "cease+contact", end, what)
    for end, complaint in clause.pairs(("cease",), ("doubt",)):
        if end in affirmed:
            return heard(clause, 0.82, "cease+doubt", end, complaint)
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
        return _forbidden(clause, negation, command)
    barred = clause.spans("bar")
    return _forbidden(clause, barred[0], me=True) if barred else None


def _forbidden(clause: Clause, *spans: Span, me: bool = False) -> Evidence | None:
    if clause.has("other") and not clause.has("notes"):
        return None
    if clause.has("more"):
        return heard(clause, 0.92, "not+tell+more", *spans)
    told = heard(clause, 0.9, "not+tell+notes", *spans)
    unexplained = clause.unexplained(told.place)
    if clause.has("notes") and unexplained <= 3:
        return told
    if unexplained <= 1:
        return heard(clause, 0.82 if me or clause.has("me") else 0.6, "not+tell", *spans)
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
        if clause.has("notes"):
            weight = 0.93 if clause.has("more") else 0.86
            return heard(clause, weight, "not+want+notes", negation, wish)
        if clause.has("other"):
            return None
        if clause.has("writing", "tell"):
            return heard(clause, 0.86, "not+want+writing", negation, wish)
        if not clause.loose() or (clause.has("more") and not clause.unexplained()):
            return heard(clause, 0.5, "not+want", negation, wish)
    return None


def _enough(clause: Clause) -> Evidence | None:
    """ "No more messages", "basta pubblicità", "keine Werbung": none of it."""
    if clause.has("tale", "keep") or (clause.has("other") and not clause.has("more", "want")):
        return None
    for none, notes in clause.pairs(("no",), ("notes", "writing"), within=3):
        beside = notes[0] - none[1] <= 1 or clause.linked(none, notes)
        if beside if none < notes else clause.negation_may_follow:
            heavy = clause.unexplained() <= 2 or clause.has("more", "want")
            return heard(clause, 0.86 if heavy else 0.5, "no+notes", none, notes)
    return None


def _leaving(clause: Clause) -> Evidence | None:
    """ "Unsubscribe me", "cancellatemi dalla lista": a way out."""
    if clause.has("keep", "elsewhere"):
        return None
    if leaving := clause.affirmed("leave"):
        other = clause.has("other") and not clause.has("list", "notes")
        return heard(clause, 0.5 if other else 0.88, "leave", leaving[0])
    affirmed = set(clause.affirmed("drop"))
    for dropping, what in clause.pairs(("drop",), ("list",)):
        if dropping in affirmed:
            other = clause.has("other") and not clause.has("notes", "me")
            return heard(clause, 0.4 if other else 0.88, "drop+list", dropping, what)
    return None


def _dropping(clause: Clause) -> Evidence | None:
    """ "Scrap me", "vyřaďte mě"; and "delete it" where the message has named the number."""
    if clause.has("keep", "elsewhere", "other", "tale", "list"):
        return None
    affirmed = set(clause.affirmed("drop"))
    for dropping, oneself in clause.pairs(("drop",), ("self",), within=2):
        if dropping in affirmed and (unexplained := clause.unexplained()) <= 3:
            weight = 0.5 if unexplained else 0.86
            return heard(clause, weight, "drop+self", dropping, oneself)
    if affirmed and clause.named and not clause.unexplained():
        return heard(clause, clause.named, "drop+it", min(affirmed))
    return None


def _listed(clause: Clause) -> Evidence | None:
    """ "STOP. I said STOP.": a clause that would be heard if it stood alone."""
    if not clause.listed:
        return None
    start, end = clause.listed[0]
    return heard(clause, 0.88 if end - start > 2 else 0.62, "listed", (start, end))


def _plain(clause: Clause) -> Evidence | None:
    """ "Leave me alone": a phrase that is clear wherever it stands."""
    if clear := clause.affirmed("clear"):
        return heard(clause, 0.9, "clear", clear[0])
    talk = clause.unexplained() or clause.has("other")
    uninterested = clause.spans("want") if talk else []
    if doubts := [span for span in clause.spans("doubt") if span not in uninterested]:
        return heard(clause, 0.55, "doubt", doubts[0])
    return None


def _bare_end(clause: Clause) -> Evidence | None:
    """ "Stop it now", "fermatevi fino a lunedì": an end, of nothing that is named."""
    ends = clause.affirmed("cease")
    if not ends or clause.has("tale", "keep", "other", "not"):
        return None
    loose = clause.loose()
    if not clause.unexplained() or (loose == 1 and clause.has("me", "until", "more")):
        return heard(clause, 0.6, "cease", ends[0])
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
    Rule(_dropping),
    Rule(_plain, silent_when_asked=False),
    Rule(_bare_end),
)
FOR_GOOD = frozenset({"leave", "drop+list", "drop+self", "drop+it", "clear"})
"""Rules of acts that are done once: "today" and "until Monday" tell when, and limit nothing."""
