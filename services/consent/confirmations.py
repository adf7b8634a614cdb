"""The one reply to STOP, START or HELP, and the question before a yes, in the person's language.

The words are in `wording.toml`.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

Occasion = Literal["stopped", "started", "help", "ask", "again", "declined"]

_WORDING = tomllib.loads(Path(__file__).with_name("wording.toml").read_text("utf-8"))

WORDING_VERSION: str = _WORDING.pop("version")
"""Goes into the evidence of a consent that was given in answer to these words."""

LANGUAGES: tuple[str, ...] = tuple(_WORDING)

DEFAULT_LANGUAGE = "en"


def reply(occasion: Occasion, *, brand: str, languages: Iterable[str | None]) -> str:
    """Return the reply as plain text, in the first of `languages` that we speak, else in English.

    The order that callers give: the language the person chose, the keyword's own, the platform's
    guess, the brand's.
    """
    return template(occasion, choose_language(languages)).format(brand=brand)


def template(occasion: Occasion, language: str) -> str:
    """Return the words with `{brand}` where the brand's name will be."""
    words: str = _WORDING[language][occasion]
    return words


def buttons(language: str) -> tuple[str, str]:
    """Return the words on the buttons below a question: for yes, and for no."""
    wording = _WORDING[choose_language([language])]
    return wording["yes"], wording["no"]


def choose_language(languages: Iterable[str | None]) -> str:
    """Return the first language that we speak: `pt-BR` is `pt`; others are passed over."""
    for tag in languages:
        language = (tag or "").replace("_", "-").partition("-")[0].lower()
        if language in LANGUAGES:
            return language
    return DEFAULT_LANGUAGE
