"""A yes and a no are heard where we asked, as whole messages, and never guessed."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.consent import keywords, lexicon
from services.consent.keywords import LONGEST, answer, meaning
from services.consent.lexicon import ANSWERING, LANGUAGES, PHRASES, SIGNS
from tests.consent.spoken_corpus import Said, answers, corpus

YES = [said for said in answers() if said.label == "yes"]
NO = [said for said in answers() if said.label == "no"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_can_say_yes_and_no(language: str) -> None:
    said = [each for each in answers() if each.language == language]

    assert {each.label for each in said} == {"yes", "no", "neither"}
    assert [each for each in said if (answer(each.text) or "neither") != each.label] == []


def test_the_figures_are_told(tell: Callable[[str], None]) -> None:
    counted = Counter(said.label for said in answers())

    tell(f"answers: {dict(counted)}; signs: {''.join(SIGNS)}; listed phrases: {len(ANSWERING)}")
    assert counted.total() >= 500


def test_no_wish_for_an_end_is_a_yes() -> None:
    said = [each for each in corpus() if each.label in ("stop", "doubtful", "pause", "help")]

    assert [each for each in said if answer(each.text) == "yes"] == []


def test_talk_is_a_yes_only_where_it_is_nothing_else() -> None:
    heard = {each.text for each in corpus() if each.label == "talk" and answer(each.text)}

    assert heard == {
        *("ja gerne", "yes", "sí", "oui merci", "ok", "sì va bene", "ja", "tak", "sim"),
        "没问题",
    }


def test_an_answer_is_no_keyword() -> None:
    told = [phrase for phrase in ANSWERING.values() if phrase.meaning in ("yes", "no")]

    listed = {words for words, phrase in PHRASES.items() if phrase.meaning != "courtesy"}
    assert [phrase for phrase in told if phrase.words in listed] == []


def test_without_a_question_a_yes_is_talk() -> None:
    assert [said for said in YES if meaning(said.text) is not None] == []


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(YES + NO),
    st.sampled_from((str.upper, str.lower, str.title)),
    st.sampled_from(("", "!", "!!!", " 🙏", " 😊", " …", ".")),
)
def test_case_and_punctuation_change_nothing(
    said: Said, case: Callable[[str], str], end: str
) -> None:
    assert answer(case(said.text) + end) == said.label


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(YES), st.sampled_from(NO))
def test_a_yes_and_a_no_are_no_yes(yes: Said, no: Said) -> None:
    assert answer(f"{yes.text}, {no.text}") != "yes"
    assert answer(f"{no.text} {yes.text}") != "yes"


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(YES), st.sampled_from([said for said in corpus() if said.label == "stop"]))
def test_a_yes_with_a_stop_is_no_yes(yes: Said, stop: Said) -> None:
    assert answer(f"{yes.text}, {stop.text}") is None


@pytest.mark.parametrize("text", ["sì?", "OK？", "ναι;", "نعم؟", "👍?"])
def test_a_question_is_no_answer(text: str) -> None:
    assert answer(text) is None


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("👍", "yes"),
        ("👍🏿👍🏿", "yes"),
        ("ok 👍", "yes"),
        ("🙅‍♀️", "no"),
        ("no 👎", "no"),
        ("👍👎", None),
        ("ok 👎", None),
        ("🙏", None),
        ("👍 where is my parcel", None),
        ("", None),
        ("yes " * LONGEST, None),
    ],
)
def test_signs_are_heard(text: str, heard: str | None) -> None:
    assert answer(text) == heard


@settings(deadline=None, max_examples=200)
@given(st.text())
def test_nothing_raises(text: str) -> None:
    assert answer(text) in ("yes", "no", None)


def test_never_is_no_start_in_arabic() -> None:
    """ "Never" and "begin" are one word where nobody types the hamza: it must be no beginning."""
    assert [meaning(text) for text in ("أبدا", "أبداً", "ابدا")] == [None, None, None]


def test_what_answers_in_two_ways_is_refused() -> None:
    tables = {"xx": {"answer": {"yes": "hm", "no": "hm"}}}

    with pytest.raises(ValueError, match="means yes and no"):
        lexicon.index_answers(tables)
    with pytest.raises(ValueError, match="means yes and no"):
        lexicon.index_answers({"xx": {"answer": {"yes": "👍", "no": "👍"}}})
    with pytest.raises(ValueError, match="is no answer"):
        lexicon.index_answers({"xx": {"answer": {"perhaps": "hm"}}})


def test_a_yes_that_hears_only_the_first_word_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    split = keywords._split
    monkeypatch.setattr(keywords, "_split", lambda words, listed: split(words[:1], listed))

    neither = [said for said in answers() if said.label == "neither"]
    assert [said for said in neither if answer(said.text) == "yes"]
