"""STOP is heard however it is typed, and never where nobody said it."""

import random
import unicodedata

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from services.consent import keywords, lexicon
from services.consent.keywords import Keyword, meaning, normalise

WORDS = {
    language: {name: lexicon.spoken(table[name]) for name in lexicon.WHOLE if name in table}
    for language, table in lexicon.TABLES.items()
}
TELLING = [
    (phrase, what, language)
    for language, table in WORDS.items()
    for what, phrases in table.items()
    if what != "courtesy"
    for phrase in phrases
]
COURTESY = [phrase for table in WORDS.values() for phrase in table.get("courtesy", [])]
LISTED = {
    word for told in [*COURTESY, *(phrase for phrase, _, _ in TELLING)] for word in normalise(told)
}
NOISE = ' \t\n.,;:!?…-–—_*~()[]"«»“”🛑🙏😡❤️👍🏽\u200b\u2060\ufeff\u00ad'


@pytest.mark.parametrize(
    ("text", "what", "language"),
    [
        ("stop", "stop", "und"),
        ("STOP!", "stop", "und"),
        ("/stop", "stop", "und"),
        ("/stop@caffe_aurora_bot", "stop", "und"),
        ("s.t.o.p", "stop", "und"),
        ("ST\u00ad\u200bO\u2060P\ufe0f", "stop", "und"),
        ("ＳＴＯＰ", "stop", "und"),
        ("𝐒𝐓𝐎𝐏", "stop", "und"),
        ("*STOP* 🛑🛑", "stop", "und"),
        ("STOP STOP STOP", "stop", "und"),
        ("StopAll", "stop", "und"),
        ("stop per favore", "stop", "it"),
        ("ciao, basta grazie", "stop", "it"),
        ("BASTA, CANCELLAMI!!", "stop", "it"),
        ("disiscrivimi", "stop", "it"),
        ("annulla iscrizione", "stop", "it"),
        ("annulla l’iscrizione", "stop", "it"),
        ("Non scrivermi più", "stop", "it"),
        ("unsubscribe", "stop", "en"),
        ("Quit", "stop", "en"),
        ("end", "stop", "en"),
        ("cancel", "stop", "en"),
        ("opt-out", "stop", "en"),
        ("OPTOUT", "stop", "en"),
        ("revoke", "stop", "en"),
        ("please don't message me", "stop", "en"),
        ("darme de baja, por favor", "stop", "es"),
        ("Arrêt", "stop", "fr"),
        ("désabonnez-moi s’il vous plaît", "stop", "fr"),
        ("Abmelden bitte", "stop", "de"),
        ("kündigen", "stop", "de"),
        ("não quero mais mensagens", "stop", "pt"),
        ("parar", "stop", "und"),
        ("parar, obrigado", "stop", "pt"),
        ("stop grazie thanks", "stop", "und"),
        ("START", "start", "und"),
        ("/start", "start", "und"),
        ("iscrivimi per favore", "start", "it"),
        ("unstop", "start", "en"),
        ("help", "help", "und"),
        ("AIUTO!", "help", "it"),
        ("Hilfe", "help", "de"),
    ],
)
def test_the_whole_message_is_heard(text: str, what: str, language: str) -> None:
    heard = meaning(text)

    assert heard is not None
    assert (heard.meaning, heard.language) == (what, language)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        "?",
        "non-stop party tonight",
        "non-stop",
        "don't stop",
        "please don't stop now",
        "non fermarti",
        "stop at the shop tomorrow?",
        "what time do you stop serving coffee",
        "the bus stop is closed",
        "un stop",
        "stoop",
        "fine",
        "sì",
        "si",
        "yes",
        "no",
        "ok",
        "grazie mille",
        "ciao",
        "start stop",
        "stop help",
        "/start spring-2026",
        "http://stop.example",
        "стоп-кран сломан",
        "para mañana dos cafés",
        "ho cancellato l'appuntamento, posso prenderne un altro?",
        "end of season sale?",
    ],
)
def test_talk_stays_talk(text: str) -> None:
    assert meaning(text) is None


def test_the_seven_words_of_the_american_rule_are_heard() -> None:
    # 47 CFR 64.1200(a)(10) names them as reasonable means to revoke.
    seven = ("stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe")

    assert [heard.meaning for word in seven if (heard := meaning(word))] == ["stop"] * 7


def test_the_rule_says_how_it_was_heard() -> None:
    assert meaning("Basta!") == Keyword("stop", "und", "whole:basta")
    assert meaning("basta, grazie") == Keyword("stop", "it", "courteous:basta")
    assert meaning("basta!! smettetela") == Keyword("stop", "it", "insistent:basta")


def test_every_listed_phrase_is_heard_as_listed() -> None:
    for phrase, what, language in TELLING:
        heard = meaning(phrase)

        assert heard is not None, phrase
        assert heard.meaning == what, phrase
        assert heard.language in (language, keywords.UNDETERMINED), phrase


def test_a_phrase_with_two_meanings_is_refused_at_the_door() -> None:
    with pytest.raises(ValueError, match="means start and stop"):
        lexicon.index_phrases({"und": {"start": "Va!"}, "xx": {"stop": "va"}})


@st.composite
def dressed(draw: st.DrawFn) -> tuple[str, str]:
    """A listed phrase in another dress: case, accents, noise around and between."""
    phrase, what, _ = draw(st.sampled_from(TELLING))
    chance = random.Random(draw(st.integers(0, 2**32)))
    noise = st.text(NOISE, max_size=4)
    letters = "".join(letter.upper() if chance.random() < 0.5 else letter for letter in phrase)
    accented = "".join(
        letter + chance.choice("\u0300\u0301\u0302\u0308")
        if letter in "aeiouAEIOU" and chance.random() < 0.3
        else letter
        for letter in letters
    )
    form = draw(st.sampled_from(("NFC", "NFD", "NFKC", "NFKD")))
    words = unicodedata.normalize(form, accented).split(" ")
    middle = draw(st.sampled_from((" ", "  ", "\n", ", ", " - ", "_", " 🙏 ")))
    return draw(noise) + middle.join(words) + draw(noise), what


@settings(deadline=None)
@given(dressed())
def test_no_dress_hides_it(told: tuple[str, str]) -> None:
    text, what = told

    heard = meaning(text)

    assert heard is not None
    assert heard.meaning == what


@settings(deadline=None)
@given(st.lists(st.sampled_from(COURTESY), max_size=2), st.sampled_from(TELLING), st.data())
def test_courtesy_changes_nothing(
    before: list[str], told: tuple[str, str, str], data: st.DataObject
) -> None:
    after = data.draw(st.lists(st.sampled_from(COURTESY), max_size=2))

    heard = meaning(" ".join([*before, told[0], *after]))

    assert heard is not None
    assert heard.meaning == told[1]


@settings(deadline=None)
@given(st.text())
@example("/@")
@example("ﷺ" * 1000)
@example("\ud800")
@example("ͅ\u0345ǰ\u0323")
def test_it_never_raises_and_bare_words_stay_bare(text: str) -> None:
    words = normalise(text)

    assert normalise(" ".join(words)) == words
    assert (
        meaning(text) == meaning(text.swapcase()) or text.casefold() != text.swapcase().casefold()
    )


ITALIAN_TALK = (
    "il la un caffè vorrei domani ordine quando aprite negozio torino stop basta fine per"
)
ENGLISH_TALK = "the a coffee shop when do you open tomorrow order stop end cancel for my at bus"


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from((ITALIAN_TALK, ENGLISH_TALK)).flatmap(
        lambda talk: st.lists(st.sampled_from(talk.split()), min_size=5, max_size=40)
    )
)
def test_a_sentence_with_the_word_in_it_is_not_it(sentence: list[str]) -> None:
    assume(any(normalise(word)[0] not in LISTED for word in sentence))

    heard = meaning(" ".join(sentence))

    assert heard is None or heard.meaning == "doubtful"


def test_prose_is_not_even_read() -> None:
    assert meaning("stop " * 100) is not None
    assert meaning("stop " * 1000) is None
