"""Counting and cutting people's words as platforms count them, and never inside a letter.

Platforms count UTF-16 units; people see grapheme clusters (an "é" of two code points, a flag, a
family of four). The rules of where a cluster may end are those of Unicode's UAX #29, written on
the safe side: where they leave a doubt, we do not cut.
"""

import unicodedata

ELLIPSIS = "…"

_ZWJ = "\u200d"
_EXTENDING = frozenset(
    [_ZWJ, "\u200c", "\uff9e", "\uff9f"]
    + [chr(point) for point in range(0x1F3FB, 0x1F400)]  # the tones of skin
    + [chr(point) for point in range(0xE0020, 0xE0080)]  # the tags of regional flags
)
_PREPENDING = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\U000110bd\U000110cd"
)
_INVISIBLE = frozenset(["Cc", "Cf", "Zs", "Zl", "Zp"])
_VIRAMA = 9
"""The canonical combining class of the signs that join two Indic consonants into one."""


def utf16_length(text: str) -> int:
    """Return how many UTF-16 units `text` takes, which is what Telegram counts."""
    return len(text) + sum(character > "\uffff" for character in text)


def visible(text: str | None) -> str | None:
    """Return the text without the space around it; none when nothing in it can be seen."""
    if text is None or all(unicodedata.category(character) in _INVISIBLE for character in text):
        return None
    return text.strip()


def shorten(text: str, limit: int) -> str:
    """Return `text` in at most `limit` UTF-16 units, cut after a word and marked with "…".

    What stands before the "…" is the beginning of `text` and ends where a cluster ends.
    A word that fills more than half of the room is cut inside, rather than left out.
    """
    if utf16_length(text) <= limit:
        return text
    room = _last_boundary(text, _units_to_index(text, limit - 1))
    space = max((text.rfind(blank, 0, room + 1) for blank in " \n\t"), default=-1)
    end = space if space > room // 2 else room
    while True:
        trimmed = len(text[:end].rstrip())
        end = _last_boundary(text, trimmed)
        if end == trimmed:
            return text[:end] + ELLIPSIS


def _units_to_index(text: str, units: int) -> int:
    """Return how many characters of `text` fit into so many UTF-16 units."""
    for index, character in enumerate(text):
        units -= 2 if character > "\uffff" else 1
        if units < 0:
            return index
    return len(text)


def _last_boundary(text: str, index: int) -> int:
    """Return the last place at or before `index` where no cluster is open."""
    while not is_boundary(text, index):
        index -= 1
    return index


def is_boundary(text: str, index: int) -> bool:
    """Tell whether `text` may be cut before the character at `index`."""
    if index <= 0 or index >= len(text):
        return True
    left, right = text[index - 1], text[index]
    if left < "\u0300" and right < "\u0300":
        return not (left == "\r" and right == "\n")
    return not (
        right in _EXTENDING
        or unicodedata.category(right).startswith("M")
        or left == _ZWJ
        or left in _PREPENDING
        or (unicodedata.combining(left) == _VIRAMA and right.isalpha())
        or _inside_hangul(left, right)
        or _inside_flag(text, index)
    )


def _inside_hangul(left: str, right: str) -> bool:
    """Tell whether both are parts of one Korean syllable."""
    if "\u1160" <= right <= "\u11ff" or "\ud7b0" <= right <= "\ud7fb":
        return True
    return _is_leading(left) and (_is_leading(right) or "\uac00" <= right <= "\ud7a3")


def _is_leading(character: str) -> bool:
    return "\u1100" <= character <= "\u115f" or "\ua960" <= character <= "\ua97c"


def _inside_flag(text: str, index: int) -> bool:
    """Tell whether a cut would part the two letters of a country's flag."""
    if not _is_flag_letter(text[index]):
        return False
    letters = 0
    while letters < index and _is_flag_letter(text[index - 1 - letters]):
        letters += 1
    return letters % 2 == 1


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
