"""Reduce what people type to bare words: no case, accents, punctuation, emoji, or invisible signs.

What one person types as "Désabonnez-moi !!" and another as "desabonnez moi" is the same here, in
every script we listen to.
"""

import re
import unicodedata
from functools import partial

Words = tuple[str, ...]

_APOSTROPHES = re.compile("['\u2018\u2019\u02bc\u00b4`]")
_DRAWN_OUT = re.compile(r"([^\W\d_])\1{2,}", re.IGNORECASE)
"""A letter thrice or more, as in "stoooop": no word that we listen for has that."""
_ADDRESSED_COMMAND = re.compile(r"^\s*/(\w+)@\w+")

# Letters that Unicode does not take apart, and that people type without their stroke; Arabic
# letters that stand for one another in haste; a Hindi nasal that has two signs.
_PLAIN = str.maketrans(
    {"ł": "l", "đ": "d", "ø": "o", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "ё": "е"}
    | {"ى": "ي", "ة": "ه", "ک": "ك", "ی": "ي", "ٱ": "ا", "ھ": "ه", "ँ": "ं"}
)
# Vowel signs that Arabic may leave out, the Arabic stretch, the dot below a Hindi letter.
_LEFT_OUT = frozenset(
    {chr(code) for code in (0x640, 0x670, 0x93C)}
    | {
        chr(code)
        for start, end in ((0x5B0, 0x5C7), (0x610, 0x61A), (0x64B, 0x65F))
        for code in range(start, end + 1)
    }
)

_SENTENCE, _CLAUSE = "\x1e", "\x1f"
_MARKS = dict.fromkeys(".!?;\n\r…。।؟؛", _SENTENCE) | dict.fromkeys(
    ",:()\u2013\u2014،、，", _CLAUSE
)
_REMEMBERED = 8_192
"""Signs whose part is remembered; nobody fills our memory by typing all of Unicode."""


class _Signs(dict[int, str]):
    """What each sign is in a bare text, for `str.translate`; found out when it is first met."""

    def __init__(self, marks: dict[str, str]) -> None:
        super().__init__({ord(sign): f" {mark} " for sign, mark in marks.items()})

    def __missing__(self, code: int) -> str:
        kept = _kept(chr(code))
        if len(self) < _REMEMBERED:
            self[code] = kept
        return kept


def _kept(character: str) -> str:
    """Return the character if it belongs to a word, nothing if it is invisible, else a space."""
    category = unicodedata.category(character)
    if category == "Cf" or "\u0300" <= character <= "\u036f" or "\ufe00" <= character <= "\ufe0f":
        return ""
    if character in _LEFT_OUT:
        return ""
    return character if category[0] in "LN" or category in ("Mn", "Mc") else " "


_WHOLE = _Signs({})
_CLAUSES = _Signs(_MARKS)


def normalise(text: str) -> Words:
    """Return the bare words of a text; those of bare words are the same again."""
    words = tuple(_bare(text, _WHOLE).split())
    if len(words) > 1 and all(len(word) == 1 for word in words):
        return ("".join(words),)
    return words


def sentences(text: str) -> tuple[tuple[Words, ...], ...]:
    """Return the sentences of a text, each as its clauses, each as its bare units; no addresses."""
    bare = _bare(_without_addresses(text), _CLAUSES)
    cut = (map(_units_of, sentence.split(_CLAUSE)) for sentence in bare.split(_SENTENCE))
    return tuple(clauses for sentence in cut if (clauses := tuple(filter(None, sentence))))


def units(words: Words) -> Words:
    """Cut words where no space does: each Chinese or Japanese sign, and numbers from their unit."""
    if all(word.isalpha() and word < "\u2e80" for word in words):
        return words
    return tuple(unit for word in words for unit in _UNIT.findall(word))


_UNSPACED = "\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNIT = re.compile(rf"[{_UNSPACED}]|\d+|[^\d{_UNSPACED}]+")


def joined(words: Words) -> str:
    """Write units as people do: no space between Chinese or Japanese signs."""
    return _BETWEEN_SIGNS.sub("", " ".join(words))


_BETWEEN_SIGNS = re.compile(rf"(?<=[{_UNSPACED}]) (?=[{_UNSPACED}])")


def _units_of(clause: str) -> Words:
    return units(tuple(clause.split()))


def _bare(text: str, signs: _Signs) -> str:
    text = _ADDRESSED_COMMAND.sub(r"/\1", text)
    text = _APOSTROPHES.sub("", text)
    text = _DRAWN_OUT.sub(r"\1", text)
    if not text.isascii():
        # Folding case can undo the decomposition and the other way round; one after the other,
        # twice, is stable (the Unicode Standard, D146: compatibility caseless matching).
        text = _decomposed(_decomposed(text).casefold()).casefold()
        text = _decomposed(text).translate(signs).translate(_PLAIN)
        return unicodedata.normalize("NFC", text)
    return text.casefold().translate(signs)


_decomposed = partial(unicodedata.normalize, "NFKD")


def _without_addresses(text: str) -> str:
    """Leave out what points elsewhere: a "stop" in a link is nobody's word."""
    if "@" not in text and "://" not in text and "www." not in text:
        return text
    return "\n".join(
        " ".join(word for word in line.split() if not _is_address(word))
        for line in text.splitlines()
    )


def _is_address(word: str) -> bool:
    return "://" in word or word.startswith("www.") or "@" in word[1:]
