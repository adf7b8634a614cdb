"""The tables of `words/`: what people say, language by language, indexed to be found in a text.

A table lists phrases that are a whole message (`stop`, `start`, `help`, `pause`, and `courtesy`
around them), under `[answer]` what answers a question of ours (`yes`, `no`, and what looks like one
and is `neither`), and under `[free]` the roles that words play in a sentence. `docs/words.md` tells
what each role is for. A `*` at the end of a word of a role stands for any ending.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from services.consent.spelling import Words, joined, normalise, units
from services.consent.typos import Typos

UNDETERMINED = "und"
"""The language tag of a word that does not tell which language was spoken (BCP 47)."""

WHOLE = ("stop", "start", "help", "pause", "courtesy")
ROLES = (
    *("cease", "writing", "notes", "tell", "bar", "not", "no", "want", "more", "me"),
    *("self", "leave", "drop", "list", "clear", "doubt"),
    *("idiom", "hedge", "kin", "when", "ask", "tale", "keep", "other", "elsewhere"),
    *("for", "until", "since", "small", "joint", "link", "else"),
)
ANSWERS = ("yes", "no", "neither")
LISTED_ROLES = ("stop", "pause", "courtesy")
"""Whole messages that play a role in a longer one too."""
MISTYPED = frozenset({"cease", "writing", "notes", "tell", "bar", "leave", "drop", "list", "clear"})
"""Roles that are heard in mistyped words too: those that speak for an end."""
UNITS = {"day": 1, "week": 7, "month": 30, "year": 365}
NUMBERS = ("1", "2", "3", "4", "5", "6", "7", "10", "15")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase that is a whole message; `languages` is empty where it is understood everywhere."""

    words: Words
    meaning: str
    languages: frozenset[str]


class Hit(NamedTuple):
    """Words `start` to `end` play a role in a sentence of that language."""

    start: int
    end: int
    language: str
    role: str


@dataclass(slots=True)
class _Branch:
    """What may follow the words so far, and the roles that they play when they end here."""

    following: dict[str, "_Branch"] = field(default_factory=dict)
    roles: list[tuple[str, str]] = field(default_factory=list)


Table = Mapping[str, str | Mapping[str, str]]


def spoken(phrases: str, also: Mapping[str, str] | None = None) -> list[str]:
    """Return the phrases of one entry, and those that some spell otherwise ("ue" for "ü")."""
    told = [phrase for each in phrases.split(",") if (phrase := " ".join(each.split()))]
    otherwise = str.maketrans(dict(also or {}))
    return list(dict.fromkeys([*told, *(phrase.translate(otherwise) for phrase in told)]))


def index_phrases(tables: Mapping[str, Table]) -> dict[Words, Phrase]:
    """Index whole messages by their units; a phrase with two meanings is a `ValueError`."""
    found: dict[Words, Phrase] = {}
    for language, table in tables.items():
        for name, phrases in table.items():
            if not isinstance(phrases, str):
                continue
            if name not in WHOLE:
                raise ValueError(f"words: {language}.{name} is no meaning")
            for told in spoken(phrases, _also(table)):
                _add(found, units(normalise(told)), name, language)
    return found


def index_answers(tables: Mapping[str, Table]) -> tuple[dict[Words, Phrase], dict[str, str]]:
    """Index what answers a question, and the courtesy around it; then what single signs answer.

    A sign is no word ("👍"). What answers in two ways is a `ValueError`.
    """
    found: dict[Words, Phrase] = {}
    signs: dict[str, str] = {}
    for language, table in tables.items():
        answers = table.get("answer", {})
        for name, phrases in () if isinstance(answers, str) else answers.items():
            if name not in ANSWERS:
                raise ValueError(f"words: {language}.answer.{name} is no answer")
            for told in spoken(phrases, _also(table)):
                if words := units(normalise(told)):
                    _add(found, words, name, language)
                elif signs.setdefault(told, name) != name:
                    raise ValueError(f"words: {told!r} means {signs[told]} and {name}")
    courtesy = (phrase for phrase in index_phrases(tables).values() if phrase.meaning == "courtesy")
    return {**{phrase.words: phrase for phrase in courtesy}, **found}, signs


def _add(found: dict[Words, Phrase], words: Words, name: str, language: str) -> None:
    told = frozenset() if language == UNDETERMINED else frozenset({language})
    known = found.get(words, Phrase(words, name, frozenset()))
    if known.meaning != name or not words:
        raise ValueError(f"words: {joined(words)!r} means {known.meaning} and {name}")
    found[words] = Phrase(words, name, known.languages | told)


def index_roles(tables: Mapping[str, Table]) -> tuple[_Branch, frozenset[str], Typos]:
    """Index the roles that words play as a tree of words, the stems that stand in it, and typos."""
    root = _Branch()
    stems: set[str] = set()
    words: dict[bool, set[str]] = {True: set(), False: set()}
    for language, name, phrases in _entries(tables):
        for phrase in spoken(phrases, _also(tables[language])):
            branch = root
            for key in _keys(phrase):
                known = stems if key.endswith("*") else words[name in MISTYPED]
                known.add(key.removesuffix("*"))
                branch = branch.following.setdefault(key, _Branch())
            if (language, name) not in branch.roles:
                branch.roles.append((language, name))
    return root, frozenset(stems), Typos(words[True], known=words[False])


def find(words: Words) -> Iterator[Hit]:
    """Find every role that these words may play, in every language."""
    keys = [_keys_of(word) for word in words]
    for start in range(len(words)):
        branches = [_ROLES]
        for end in range(start, len(words)):
            branches = [
                following
                for branch in branches
                for key in keys[end]
                if (following := branch.following.get(key))
            ]
            if not branches:
                break
            for branch in branches:
                for language, role in branch.roles:
                    yield Hit(start, end + 1, language, role)


def _also(table: Table) -> Mapping[str, str]:
    also = table.get("also", {})
    return {} if isinstance(also, str) else also


def _entries(tables: Mapping[str, Table]) -> Iterator[tuple[str, str, str]]:
    for language, table in tables.items():
        for section, roles in table.items():
            if isinstance(roles, str):
                if section in LISTED_ROLES:
                    yield language, section, roles
                continue
            if section in ("also", "answer"):
                continue
            known: Iterable[str] = ROLES if section == "free" else (*UNITS, *NUMBERS)
            for name, phrases in roles.items():
                if name not in known:
                    raise ValueError(f"words: {language}.{section}.{name} is no role")
                yield language, name, phrases


def _keys(phrase: str) -> Iterator[str]:
    for word in phrase.split():
        pieces = units(normalise(word.rstrip("*")))
        yield from pieces[:-1]
        yield pieces[-1] + "*" * word.endswith("*")


def _keys_of(word: str) -> list[str]:
    """Return the word and its stems, as they are written in the tree."""
    longest = min(len(word), _LONGEST_STEM)
    stems = (word[:length] for length in range(1, longest + 1))
    keys = [word, *(f"{stem}*" for stem in stems if stem in _STEMS)]
    if "\u0621" <= word[:1] <= "\u064a":
        bare = (word.removeprefix(attached) for attached in _ATTACHED)
        keys.extend(dict.fromkeys(each for each in bare if len(each) > 2 and each != word))
    if len(keys) == 1:
        keys.extend(_TYPOS.meant(word))
    return keys


_ATTACHED = ("وال", "هال", "بال", "فال", "لل", "ال", "و", "ب", "ف")
"""Arabic writes "and", "the", "with" in one piece with the word behind them."""


def _read() -> dict[str, Table]:
    files = sorted(Path(__file__).with_name("words").glob("*.toml"))
    return {file.stem: tomllib.loads(file.read_text("utf-8")) for file in files}


TABLES = _read()
LANGUAGES = tuple(language for language in TABLES if language != UNDETERMINED)
PHRASES = index_phrases(TABLES)
ANSWERING, SIGNS = index_answers(TABLES)
LONGEST_PHRASE = max(map(len, (*PHRASES, *ANSWERING)))
_ROLES, _STEMS, _TYPOS = index_roles(TABLES)
_LONGEST_STEM = max(map(len, _STEMS), default=0)
