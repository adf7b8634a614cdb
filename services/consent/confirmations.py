"""The one reply to a STOP, START, HELP or a pause, and the questions that we ask, in the person's
language. The words are in `wording/`, a file for each language; {brand} is the brand's name.

    stopped   the revocation is in force          started   the grant is recorded
    help      what one can write here             paused    in force until {until}, spelled by `day`
    doubt     it may have been a stop: paused, and one word will tell
    ask       what a yes would mean, and how to give it; yes, no: the buttons below, 20 characters
    again     before a question that is asked once more
    declined  the no to a question is recorded    link      before the link to the person's own page
    refresh   a yes of {since} will end on {until}; a brand's own notice stands below it

STOP and START in capitals are words that keywords.py hears, in every language. A confirmation says
what was done and how to undo it, and nothing that could be taken for marketing.
"""

import tomllib
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Literal

Occasion = Literal[
    "stopped", "started", "paused", "doubt", "help", "ask", "again", "declined", "refresh"
]
LINK = "link"
"""The words before the link to the person's own page."""

_WORDING = {
    path.stem: tomllib.loads(path.read_text("utf-8"))
    for path in sorted(Path(__file__).with_name("wording").glob("*.toml"))
}

WORDING_VERSION = "2026-11.3"
"""Goes into the evidence of a consent that was given in answer to these words, so it changes with
every change of them."""

LANGUAGES: tuple[str, ...] = tuple(_WORDING)

DEFAULT_LANGUAGE = "en"


def reply(
    occasion: Occasion,
    *,
    brand: str,
    languages: Iterable[str | None],
    since: date | None = None,
    until: date | None = None,
) -> str:
    """Return the reply as plain text, in the first of `languages` that we speak, else in English.

    The order that callers give: the language the person chose, the keyword's own, the platform's
    guess, the brand's. `until` is the day on which a pause or a yes ends, `since` the one on which
    that yes was said.
    """
    language = choose_language(languages)
    words = template(occasion, language)
    days = {"since": since, "until": until}
    spelled = {name: spell_day(day, language) if day else "" for name, day in days.items()}
    return words.format(brand=brand, **spelled)


def before_link(languages: Iterable[str | None]) -> str:
    """Return the words before the link to the person's own page."""
    words: str = _WORDING[choose_language(languages)][LINK]
    return words


def template(occasion: Occasion, language: str) -> str:
    """Return the words with `{brand}` where the brand's name will be."""
    words: str = _WORDING[language][occasion]
    return words


def buttons(language: str) -> tuple[str, str]:
    """Return the words on the buttons below a question: for yes, and for no."""
    wording = _WORDING[choose_language([language])]
    return wording["yes"], wording["no"]


def spell_day(day: date, language: str) -> str:
    """Return a day as people write it in one of our languages: `22 dicembre 2026`."""
    spelling = _WORDING[language]["day"]
    number = spelling.get("first", "1") if day.day == 1 else str(day.day)
    text: str = spelling["format"]
    return text.format(day=number, month=spelling["months"].split()[day.month - 1], year=day.year)


def choose_language(languages: Iterable[str | None]) -> str:
    """Return the first language that we speak: `pt-BR` is `pt`; others are passed over."""
    for tag in languages:
        language = (tag or "").replace("_", "-").partition("-")[0].lower()
        if language in LANGUAGES:
            return language
    return DEFAULT_LANGUAGE
