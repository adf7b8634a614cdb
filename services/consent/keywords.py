"""Hear STOP, START and HELP in a message that says nothing else, in any of our languages.

Only a whole message counts: "stop", "STOP!!!", "/stop@bot", "s.t.o.p", "stop per favore",
"basta, cancellami"; never a word inside a sentence ("a non-stop party"). The words themselves are
in `words.toml`.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeGuard

Meaning = Literal["stop", "start", "help"]
Words = tuple[str, ...]

UNDETERMINED = "und"
"""The language tag of a word that does not tell which language was spoken (BCP 47)."""

LONGEST = 1_000
"""Characters; whatever is longer is prose."""

_APOSTROPHES = re.compile("['\u2018\u2019\u02bc\u00b4`]")
_ADDRESSED_COMMAND = re.compile(r"^\s*/(\w+)@\w+")


@dataclass(frozen=True, slots=True)
class Keyword:
    """What a message means.

    `language` is the one language that all its words share, else `und`. `rule` tells how it was
    heard, for the evidence: `whole:<phrase>`, `courteous:<phrase>` (with "please", …) or
    `insistent:<phrase>` (said more than once).
    """

    meaning: Meaning
    language: str
    rule: str


@dataclass(frozen=True, slots=True)
class _Phrase:
    """One entry of `words.toml`; `languages` is empty where it is understood everywhere."""

    words: Words
    meaning: str
    languages: frozenset[str]


def meaning(text: str) -> Keyword | None:
    """Return what the message means, or none when it is just talk. Never raises.

    Listed phrases come first; a scorer of free text would be asked after them, with the same words.
    """
    if len(text) > LONGEST:
        return None
    return _listed(normalise(text))


def normalise(text: str) -> Words:
    """Return the bare words: no case, accents, punctuation, emoji, or invisible characters."""
    text = _ADDRESSED_COMMAND.sub(r"/\1", text)
    # Folding case can undo the decomposition and the other way round; one after the other, twice,
    # is stable (the Unicode Standard, D146: compatibility caseless matching).
    text = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", text)).casefold()
    text = unicodedata.normalize("NFKD", text).casefold()
    words = tuple("".join(map(_kept, unicodedata.normalize("NFKD", text))).split())
    if len(words) > 1 and all(len(word) == 1 for word in words):
        return ("".join(words),)
    return words


def _kept(character: str) -> str:
    """Return the character if it belongs to a word, nothing if it is invisible, else a space."""
    category = unicodedata.category(character)
    if category == "Cf" or "\u0300" <= character <= "\u036f" or "\ufe00" <= character <= "\ufe0f":
        return ""
    return character if category[0] in "LN" or category in ("Mn", "Mc") else " "


def _listed(words: Words) -> Keyword | None:
    """Read the words as listed phrases and nothing besides, all of one meaning but for courtesy."""
    phrases = _split(words)
    if not phrases:
        return None
    telling = [phrase for phrase in phrases if phrase.meaning != "courtesy"]
    meanings = {phrase.meaning for phrase in telling}
    if len(meanings) != 1 or not _is_meaning(found := meanings.pop()):
        return None
    how = "whole" if len(phrases) == 1 else "courteous" if len(telling) == 1 else "insistent"
    return Keyword(found, _common_language(phrases), f"{how}:{' '.join(telling[0].words)}")


def _split(words: Words) -> tuple[_Phrase, ...] | None:
    """Cut the words into listed phrases, longer ones first; none when some word is left over."""
    cuts: list[tuple[_Phrase, ...] | None] = [None] * len(words) + [()]
    for start in reversed(range(len(words))):
        for end in range(min(len(words), start + _LONGEST_PHRASE), start, -1):
            rest = cuts[end]
            if rest is not None and (phrase := _PHRASES.get(words[start:end])):
                cuts[start] = (phrase, *rest)
                break
    return cuts[0]


def _common_language(phrases: tuple[_Phrase, ...]) -> str:
    """Return the one language that explains all phrases: courtesy tells it too ("stop grazie")."""
    told = [phrase.languages for phrase in phrases if phrase.languages]
    common = frozenset.intersection(*told) if told else frozenset()
    return next(iter(common)) if len(common) == 1 else UNDETERMINED


def _is_meaning(name: str) -> TypeGuard[Meaning]:
    return name in ("stop", "start", "help")


def _load(tables: Mapping[str, Mapping[str, list[str]]]) -> dict[Words, _Phrase]:
    """Index the phrases by their bare words; a phrase with two meanings is a `ValueError`."""
    found: dict[Words, _Phrase] = {}
    for language, table in tables.items():
        for name, spellings in table.items():
            if not _is_meaning(name) and name != "courtesy":
                raise ValueError(f"words.toml: {language}.{name} is no meaning")
            for words in map(normalise, spellings):
                known = found.get(words, _Phrase(words, name, frozenset()))
                if known.meaning != name or not words:
                    raise ValueError(
                        f"words.toml: {' '.join(words)!r} means {known.meaning} and {name}"
                    )
                told = frozenset() if language == UNDETERMINED else frozenset({language})
                found[words] = _Phrase(words, name, known.languages | told)
    return found


_PHRASES = _load(tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8")))
_LONGEST_PHRASE = max(map(len, _PHRASES))
