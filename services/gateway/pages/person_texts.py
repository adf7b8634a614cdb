"""The words of a person's own page: a file of `texts/` for each language that it speaks.

`name` is what a language calls itself, `right_to_left` how it is written; all else are words, the
same in each file, with the same places to fill. {brand} is the brand's name.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

_READ: Final[Mapping[str, Mapping[str, Any]]] = {
    path.stem: tomllib.loads(path.read_text("utf-8"))
    for path in sorted(Path(__file__).with_name("texts").glob("*.toml"))
}
_ABOUT: Final = ("name", "right_to_left")

WORDING_VERSION: Final = "2026-11"
"""Goes into the evidence of a yes that was given on the page, so it changes with every change of
`agree` in any language."""
TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    language: {name: text for name, text in read.items() if name not in _ABOUT}
    for language, read in _READ.items()
}
FALLBACK: Final = "en"
NAMES: Final[Mapping[str, str]] = {
    language: read["name"]
    for language, read in sorted(_READ.items(), key=lambda each: each[1]["name"].casefold())
}
_RIGHT_TO_LEFT: Final = {
    language for language, read in _READ.items() if read.get("right_to_left", False)
}


def choose(languages: Iterable[str | None]) -> str:
    """Return the first language that the page speaks (`pt-BR` is `pt`), else English."""
    for tag in languages:
        language = (tag or "").partition("-")[0].lower()
        if language in TEXTS:
            return language
    return FALLBACK


class Words:
    """One language's words, with the brand's name in them: `words("stopped", since=…)`."""

    def __init__(self, language: str, brand: str) -> None:
        """Speak a language that `choose` returned."""
        self.language = language
        self.direction = "rtl" if language in _RIGHT_TO_LEFT else "ltr"
        self._texts = TEXTS[language]
        self._brand = brand

    def __call__(self, name: str, **values: object) -> str:
        """Return a text with its places filled."""
        return self._texts[name].format(brand=self._brand, **values)


def purpose_name(purpose: str, words: Words) -> str:
    """Return what a purpose is called on the page."""
    head, _, topic = purpose.partition(".")
    return words("topic", topic=topic) if topic else words(head)


def agreement(purpose: str, words: Words) -> str:
    """Return what somebody agrees to who turns a purpose on."""
    return f"{purpose_name(purpose, words)}. {words('agree')}"
