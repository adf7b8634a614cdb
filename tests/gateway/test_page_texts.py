"""A person's own page says the same in every language, and is written the right way round."""

import string

import pytest

from services.consent.confirmations import LANGUAGES
from services.consent.keywords import meaning
from services.gateway.pages.person_texts import FALLBACK, NAMES, TEXTS, Words, choose

MODEL = TEXTS[FALLBACK]
HELP = {
    **{"ar": "مساعدة", "de": "HILFE", "en": "HELP", "es": "AYUDA", "fr": "AIDE", "it": "AIUTO"},
    **{"nl": "HULP", "pl": "POMOC", "pt": "AJUDA", "ro": "AJUTOR", "ru": "ПОМОЩЬ"},
    **{"sv": "HJÄLP", "tr": "YARDIM", "uk": "ДОПОМОГА", "zh": "帮助"},
}


def places(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


@pytest.mark.parametrize("language", TEXTS)
def test_every_language_has_every_text_with_the_same_places(language):
    texts = TEXTS[language]

    assert texts.keys() == MODEL.keys()
    assert {name: places(text) for name, text in texts.items()} == {
        name: places(text) for name, text in MODEL.items()
    }
    assert all(text.strip() == text != "" for text in texts.values())


@pytest.mark.parametrize("language", TEXTS)
def test_what_it_says_to_write_is_heard_as_a_call_for_help(language):
    word = HELP[language]

    for name in ("gone_expired", "gone_unknown", "slow"):
        assert word in TEXTS[language][name]
    assert meaning(word).meaning == "help"


def test_no_two_languages_say_the_same_and_each_has_a_name():
    for name in ("intro", "agree", "erase_more"):
        assert len({texts[name] for texts in TEXTS.values()}) == len(TEXTS)
    assert set(NAMES) == set(TEXTS)
    assert len(set(NAMES.values())) == len(NAMES)


def test_the_page_speaks_what_the_chat_speaks():
    assert set(TEXTS) == set(LANGUAGES)


def test_arabic_is_written_from_right_to_left_and_the_others_are_not():
    assert {tag for tag in TEXTS if Words(tag, "B").direction == "rtl"} == {"ar"}
    assert (choose(["ar-EG"]), choose(["zh-Hant", "it"]), choose(["xx", None])) == (
        "ar",
        "zh",
        "en",
    )


def test_in_arabic_what_is_filled_in_does_not_turn_its_neighbours_round():
    """A name in Latin letters is set apart (FSI … PDI), or a full stop would jump before it."""
    for text in TEXTS["ar"].values():
        for name in places(text):
            if name != "days":
                assert f"\u2068{{{name}}}\u2069" in text


async def test_the_page_says_which_way_it_is_written(gateway):
    arabic = await gateway.http.get("/p/x", headers={"accept-language": "ar"})
    english = await gateway.http.get("/p/x", headers={"accept-language": "en"})

    assert '<html lang="ar" dir="rtl">' in arabic.text
    assert '<html lang="en" dir="ltr">' in english.text
