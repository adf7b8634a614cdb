"""The words of a person's own page, in the languages that it speaks."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

_READ = tomllib.loads(Path(__file__).with_name("person.toml").read_text("utf-8"))

WORDING_VERSION: Final[str] = _READ.pop("version")
"""Goes into the evidence of a yes that was given on the page."""
TEXTS: Final[Mapping[str, Mapping[str, str]]] = _READ
FALLBACK: Final = "en"
NAMES: Final[Mapping[str, str]] = {
    "it": "Italiano",
    "en": "English",
    "es": "Español",
    "fr": "Français",
    "de": "Deutsch",
    "pt": "Português",
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
