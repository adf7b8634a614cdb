"""Hear STOP, START, HELP and a pause in what a person writes, in any of our languages.

First as a whole message: "stop", "STOP!!!", "/stop@bot", "s.t.o.p", "basta, cancellami"; to start
and to ask for help are heard in no other way, since a yes is never guessed. Then an end in free
text, by the weight of its evidence: "could you please stop writing to me". A yes or a no is heard
where the caller has asked a question, and only as a whole message. The words are in `words/`, and
`docs/words.md` tells how they are read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeGuard

from services.consent.lexicon import (
    ANSWERING,
    LONGEST_PHRASE,
    PHRASES,
    SIGNS,
    UNDETERMINED,
    Phrase,
)
from services.consent.spelling import Words, joined, normalise, units
from services.consent.weigh import CLEAR, DOUBTFUL, FOR_SOME_DAYS, weigh

__all__ = [
    "LONGEST",
    "UNDETERMINED",
    "Answer",
    "Keyword",
    "Meaning",
    "answer",
    "meaning",
    "normalise",
]

Meaning = Literal["stop", "start", "help", "pause", "doubtful"]
Answer = Literal["yes", "no"]

LONGEST = 4_096
"""Characters; whatever is longer is no message."""


@dataclass(frozen=True, slots=True)
class Keyword:
    """What a message means.

    `language` is the one language that all its words share, else `und`. `rule` tells how it was
    heard, for the evidence: `whole:<phrase>`, `courteous:<phrase>` (with "please", …),
    `insistent:<phrase>` (said more than once), `free:<rule>:<words>`, or for a doubt
    `hunch:<words>` and `sign:<sign>`. `score` is 0 to 1, `days`
    the length of a pause where one was told; a `doubtful` message may mean a stop.
    """

    meaning: Meaning
    language: str
    rule: str
    score: float = 1.0
    days: int | None = None


def meaning(text: str) -> Keyword | None:
    """Return what the message means, or none when it is just talk. Never raises."""
    if len(text) > LONGEST:
        return None
    return _listed(units(normalise(text))) or _weighed(text) or _signed(text)


def answer(text: str) -> Answer | None:
    """Return what a message answers to a question that we asked; none where it answers nothing.

    The whole message is listed words of one answer and courtesy, or a sign such as a thumb; "yes,
    but", "yes?" and what is a yes here and a no there are no answer. Never raises.
    """
    if len(text) > LONGEST or not _QUESTION.isdisjoint(text):
        return None
    told = {SIGNS[sign] for sign in text if sign in SIGNS}
    if words := units(normalise(text)):
        phrases = _split(words, ANSWERING)
        if phrases is None:
            return None
        told.update(phrase.meaning for phrase in phrases if phrase.meaning != "courtesy")
    if told == {"yes"}:
        return "yes"
    return "no" if told == {"no"} else None


_QUESTION = frozenset("?;？؟\u037e")
"""Signs of a question; the Greek one is often typed as a semicolon."""


_STOP_SIGNS = frozenset("🛑🚫⛔📵🔕")
"""Signs that stand for an end when nothing else is said; a raised hand is a greeting too."""


def _signed(text: str) -> Keyword | None:
    """Read a message of signs alone: a stop sign without a word is worth a question."""
    signs = [sign for sign in text if sign in _STOP_SIGNS]
    if not signs or not _QUESTION.isdisjoint(text) or normalise(text):
        return None
    return Keyword("doubtful", UNDETERMINED, f"sign:{signs[0]}", DOUBTFUL)


def _listed(words: Words) -> Keyword | None:
    """Read the words as listed phrases and nothing besides, all of one meaning but for courtesy."""
    phrases = _split(words, PHRASES)
    if not phrases:
        return None
    telling = [phrase for phrase in phrases if phrase.meaning != "courtesy"]
    meanings = {phrase.meaning for phrase in telling}
    if len(meanings) != 1 or not _is_meaning(found := meanings.pop()):
        return None
    how = "whole" if len(phrases) == 1 else "courteous" if len(telling) == 1 else "insistent"
    return Keyword(found, _common_language(phrases), f"{how}:{joined(telling[0].words)}")


def _split(words: Words, listed: Mapping[Words, Phrase]) -> tuple[Phrase, ...] | None:
    """Cut the words into listed phrases, longer ones first; none when some word is left over."""
    following: list[Phrase | None] = [None] * len(words)
    possible = [False] * len(words) + [True]
    for start in reversed(range(len(words))):
        for end in range(min(len(words), start + LONGEST_PHRASE), start, -1):
            if possible[end] and (phrase := listed.get(words[start:end])):
                following[start], possible[start] = phrase, True
                break
    return tuple(_in_order(following)) if possible[0] else None


def _in_order(following: list[Phrase | None]) -> list[Phrase]:
    phrases: list[Phrase] = []
    place = 0
    while place < len(following) and (phrase := following[place]):
        phrases.append(phrase)
        place += len(phrase.words)
    return phrases


def _common_language(phrases: tuple[Phrase, ...]) -> str:
    """Return the one language that explains all phrases: courtesy tells it too ("stop grazie")."""
    told = [phrase.languages for phrase in phrases if phrase.languages]
    common = frozenset.intersection(*told) if told else frozenset()
    return next(iter(common)) if len(common) == 1 else UNDETERMINED


def _is_meaning(name: str) -> TypeGuard[Meaning]:
    return name in ("stop", "start", "help", "pause")


def _weighed(text: str) -> Keyword | None:
    """Read free text: only an end or a pause is ever heard in it."""
    found = weigh(text)
    if found is None or found.score < DOUBTFUL:
        return None
    what: Meaning = "stop" if found.score >= CLEAR else "doubtful"
    days = found.days or None
    if found.days is not None:
        told = found.score >= (CLEAR if found.doubted else FOR_SOME_DAYS)
        what = "pause" if found.days and told else "doubtful"
    return Keyword(what, found.language, found.rule, round(found.score, 2), days)
