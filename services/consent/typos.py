"""Words that somebody has mistyped: a letter left out, doubled or swapped with the one beside it.

Only words of six letters or more whose first and last letter are right, in Latin, Greek or Cyrillic
script, and in words of nine letters or more a letter that is another ("unsibscribe"): what is
shorter is too often another word ("testing" is no "texting").
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

SHORTEST = 6
"""Letters of a word that is looked at."""
SHORTEST_REPLACED = 9
"""Letters of a word in which one may be another."""
_LAST_SCRIPT = "\u0530"
"""Where Latin, Greek and Cyrillic end."""


class Typos:
    """Some words, to be found by what people make of them in haste; `known` ones are no typos."""

    def __init__(self, words: Iterable[str], known: Iterable[str] = ()) -> None:
        self._words = frozenset(word for word in words if _is_looked_at(word))
        self._known = self._words.union(known)
        self._shortened: dict[str, list[str]] = defaultdict(list)
        self._replaced: dict[tuple[str, int], list[str]] = defaultdict(list)
        for word in self._words:
            for place, short in enumerate(_shortened(word)):
                self._shortened[short].append(word)
                if len(word) >= SHORTEST_REPLACED:
                    self._replaced[short, place].append(word)

    def meant(self, word: str) -> list[str]:
        """Return the words that may be meant by a word that is none of them."""
        if word in self._known or not _is_looked_at(word):
            return []
        found = [*_shortened(word), *_swapped(word)]
        meant = [each for each in found if each in self._words]
        if len(word) >= SHORTEST_REPLACED and self._replaced:
            for place, short in enumerate(_shortened(word)):
                meant += self._replaced.get((short, place), ())
        return [*dict.fromkeys([*self._shortened.get(word, ()), *meant])]


def _is_looked_at(word: str) -> bool:
    return len(word) >= SHORTEST and word.isalpha() and word < _LAST_SCRIPT


def _shortened(word: str) -> Iterator[str]:
    """Yield the word without one of its inner letters."""
    for place in range(1, len(word) - 1):
        yield word[:place] + word[place + 1 :]


def _swapped(word: str) -> Iterator[str]:
    """Yield the word with two neighbours among its inner letters swapped."""
    for place in range(1, len(word) - 2):
        yield word[:place] + word[place + 1] + word[place] + word[place + 2 :]
