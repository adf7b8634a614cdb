"""How clauses are cut, whose words they are, and what is worth a question."""

import pytest

from services.consent.keywords import meaning


def heard_as(text: str) -> tuple[str, str]:
    keyword = meaning(text)
    return (keyword.meaning, keyword.rule.split(":")[-2]) if keyword else ("talk", "")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (
            "well I bought a kettle from you once and since then the phone never rests so please"
            " do not send me any more of it because I moved to Canada",
            "not+tell+more",
        ),
        (
            "ich habe bei euch mal ein Bügeleisen gekauft und seitdem piept das Telefon also"
            " schreibt mir nicht mehr weil ich umgezogen bin",
            "not+tell+more",
        ),
    ],
)
def test_a_long_clause_is_cut_where_it_starts_anew(text: str, rule: str) -> None:
    assert heard_as(text) == ("stop", rule)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("my mother wants to unsubscribe", "doubtful"),
        ("this is my mother's phone now, don't send her anything", "stop"),
        ("mia madre vuole disiscriversi", "doubtful"),
        ("este número agora é da minha avó de 85 anos, não lhe enviem mais nada", "stop"),
    ],
)
def test_somebody_else_is_a_doubt_only_beside_the_wish(text: str, what: str) -> None:
    assert heard_as(text)[0] == what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("take my number off your database today", "stop"),
        ("don't text me today", "doubtful"),
        ("vymažte mě do pátku", "stop"),
    ],
)
def test_when_limits_silence_and_not_what_is_done_once(text: str, what: str) -> None:
    assert heard_as(text)[0] == what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("you have my number? delete it", "stop"),
        ("the invoice has my number on it. delete it", "doubtful"),
        ("the picture is too dark. delete it", "talk"),
    ],
)
def test_it_is_the_number_that_was_named(text: str, what: str) -> None:
    assert heard_as(text)[0] == what


@pytest.mark.parametrize("text", ["could you please wipe me", "tilgt mich", "zničte mě prosím"])
def test_whoever_is_to_be_dropped_leaves(text: str) -> None:
    assert heard_as(text) == ("stop", "drop+self")


def test_an_age_is_no_length_of_a_pause() -> None:
    assert heard_as("my mother is 85 years old, don't text her any more")[0] == "stop"


@pytest.mark.parametrize(
    "text",
    [
        "don't write silly things here good people",
        "non mi scrivete l'indirizzo sbagliato per favore",
        "🛑",
        "🚫🚫",
    ],
)
def test_what_may_be_an_end_is_worth_a_question(text: str) -> None:
    assert heard_as(text)[0] == "doubtful"


@pytest.mark.parametrize(
    "text",
    [
        "stop the delivery, I am away",
        "don't write the wrong address on the parcel",
        "I got no message yet",
        "👋",
        "🛑?",
    ],
)
def test_what_is_about_something_else_is_worth_none(text: str) -> None:
    assert heard_as(text)[0] == "talk"
