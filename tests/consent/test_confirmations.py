"""What we answer is in the person's language, and the words it offers do work."""

import re
import string
from datetime import date
from typing import get_args

import pytest

from services.consent import confirmations
from services.consent.confirmations import LANGUAGES, Occasion, choose_language, reply, spell_day
from services.consent.keywords import answer, meaning

OCCASIONS = get_args(Occasion)
DAY = date(2027, 3, 1)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("occasion", OCCASIONS)
def test_every_reply_names_the_brand_and_offers_only_words_that_are_heard(
    language: str, occasion: Occasion
) -> None:
    text = reply(occasion, brand="ò{b}%s", languages=[language], since=DAY, until=DAY)

    offered = {word: meaning(word) for word in re.findall(r"\b[A-Z]{3,}\b", text)}
    assert text.count("ò{b}%s") == 1
    assert offered
    assert all(heard and heard.meaning == word.lower() for word, heard in offered.items())


def test_the_way_back_and_the_way_out_are_told() -> None:
    for language in LANGUAGES:
        assert "START" in reply("stopped", brand="B", languages=[language])
        assert "STOP" in reply("started", brand="B", languages=[language])
        assert "STOP" in reply("ask", brand="B", languages=[language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_refresh_tells_both_days_and_both_ways(language: str) -> None:
    since, until = date(2025, 3, 2), date(2027, 3, 2)
    text = reply("refresh", brand="B", languages=[language], since=since, until=until)

    assert spell_day(since, language) in text
    assert spell_day(until, language) in text
    assert text.index(spell_day(since, language)) < text.index(spell_day(until, language))
    assert "START" in text
    assert "STOP" in text
    assert len(text) <= 400


def test_all_languages_speak_and_no_two_alike() -> None:
    asked_for = {"ar", "nl", "pl", "ro", "uk", "zh", "tr", "ru", "sv"}
    assert set(LANGUAGES) == {"it", "en", "es", "fr", "de", "pt", *asked_for}
    for occasion in OCCASIONS:
        said = {reply(occasion, brand="B", languages=[tag]) for tag in LANGUAGES}
        assert len(said) == len(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_text_with_the_same_places(language: str) -> None:
    model, texts = confirmations._WORDING["en"], confirmations._WORDING[language]

    assert texts.keys() == model.keys()
    for name in set(model) - {"day"}:
        assert _places(texts[name]) == _places(model[name]), name
    assert _places(texts["day"]["format"]) == ["day", "month", "year"]
    assert all(len(label) <= 20 for label in confirmations.buttons(language))


def _places(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


@pytest.mark.parametrize(
    ("tags", "chosen"),
    [
        (["it"], "it"),
        (["pt-BR"], "pt"),
        (["PT_br"], "pt"),
        ([None, "und", "", "xx-Hans", "fr-CA", "it"], "fr"),
        (["zh-Hant"], "zh"),
        (["ar_EG"], "ar"),
        (["xx"], "en"),
        ([], "en"),
        (["italiano"], "en"),
    ],
)
def test_the_first_language_that_we_speak_is_spoken(tags: list[str | None], chosen: str) -> None:
    assert choose_language(tags) == chosen


@pytest.mark.parametrize(
    ("language", "first", "other"),
    [
        ("it", "1º marzo 2027", "22 dicembre 2026"),
        ("en", "1 March 2027", "22 December 2026"),
        ("es", "1 de marzo de 2027", "22 de diciembre de 2026"),
        ("fr", "1er mars 2027", "22 décembre 2026"),
        ("de", "1. März 2027", "22. Dezember 2026"),
        ("pt", "1 de março de 2027", "22 de dezembro de 2026"),
        ("zh", "2027年3月1日", "2026年12月22日"),
        ("ar", "1 مارس 2027", "22 ديسمبر 2026"),
        ("pl", "1 marca 2027", "22 grudnia 2026"),
    ],
)
def test_a_day_is_spelled_as_people_write_it(language: str, first: str, other: str) -> None:
    assert spell_day(DAY, language) == first
    assert spell_day(date(2026, 12, 22), language) == other
    assert first in reply("paused", brand="B", languages=[language], until=DAY)


def test_every_language_knows_twelve_months() -> None:
    for language in LANGUAGES:
        months = {spell_day(date(2026, month, 2), language) for month in range(1, 13)}
        assert len(months) == 12


def test_the_version_of_the_words_is_known() -> None:
    assert confirmations.WORDING_VERSION == "2026-11.3"


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_buttons_are_written_in_every_language_and_fit(language: str) -> None:
    yes, no = confirmations.buttons(language)

    assert 1 <= len(yes) <= 20
    assert 1 <= len(no) <= 20
    assert (answer(yes), answer(no)) == ("yes", "no")
