"""What people write is understood: no revocation missed, and no talk taken for one."""

import statistics
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.consent import clauses, cutting, lexicon
from services.consent.keywords import LONGEST, meaning
from services.consent.lexicon import LANGUAGES, TABLES, spoken
from services.consent.spelling import normalise, sentences, units
from services.consent.typos import Typos
from tests.consent.spoken_corpus import PARTS, Said, corpus

FALSE_ALARMS = 0.01
DOUBTFUL_TALK = 0.03


def heard_as(text: str) -> str:
    keyword = meaning(text)
    return keyword.meaning if keyword else "talk"


def outcomes(said: Iterable[Said], label: str) -> Counter[str]:
    return Counter(heard_as(each.text) for each in said if each.label == label)


def said_in(language: str, part: str | None = None) -> list[Said]:
    return [s for s in corpus() if s.language == language and part in (None, s.part)]


def line(said: list[Said]) -> str:
    stop, talk, doubt = (outcomes(said, label) for label in ("stop", "talk", "doubtful"))
    return (
        f"missed {stop.total() - stop['stop']:3} of {stop.total():3} ({stop['doubtful']} doubtful)"
        f" · false alarms {talk['stop']} of {talk.total():3}, doubtful {talk['doubtful']}"
        f" · doubtful ones heard as doubtful {doubt['doubtful']} of {doubt.total()},"
        f" as a stop {doubt['stop']}"
    )


def test_the_figures_are_told(tell: Callable[[str], None]) -> None:
    for part in PARTS:
        tell(f"{part:5} all  {line([said for said in corpus() if said.part == part])}")
    for language in LANGUAGES:
        assert all(said_in(language, part) for part in PARTS), f"a part has nothing in {language}"
        tell(f"all   {language}   {line(said_in(language))}")


def test_the_corpus_is_deep_enough() -> None:
    of_language = Counter(said.language for said in corpus())

    assert len(corpus()) >= 1_500
    assert set(of_language) == set(LANGUAGES)
    assert all(
        of_language[each] >= 100 for each in ("it", "en", "de", "fr", "es", "pt", "nl", "pl")
    )
    assert len({(said.language, said.text) for said in corpus()}) == len(corpus())


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_revocation_is_missed(language: str) -> None:
    wrong = [
        said
        for said in said_in(language)
        if said.label in ("stop", "start", "help", "pause")
        if heard_as(said.text) != said.label
    ]

    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_language_has_more_than_a_single_false_alarm(language: str) -> None:
    talk = outcomes(said_in(language), "talk")

    assert talk["stop"] <= 1
    assert talk["doubtful"] <= 2


def test_talk_is_seldom_taken_for_an_end() -> None:
    talk = outcomes(corpus(), "talk")

    assert talk["stop"] / talk.total() <= FALSE_ALARMS
    assert talk["doubtful"] / talk.total() <= DOUBTFUL_TALK


def test_a_yes_is_never_guessed() -> None:
    said = [said for said in corpus() if said.label != "start"]

    assert [each for each in said if heard_as(each.text) == "start"] == []


def test_what_is_doubtful_is_never_taken_for_clear() -> None:
    assert outcomes(corpus(), "doubtful")["stop"] == 0


def without(role: str) -> Callable[[pytest.MonkeyPatch], None]:
    """Plant the fault that a role is not known."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        find = lexicon.find
        monkeypatch.setattr(
            cutting, "find", lambda words: (hit for hit in find(words) if hit.role != role)
        )

    return plant


def negation_reaches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clauses.Clause, "_negated", lambda self, span: False)


@pytest.mark.parametrize(
    ("plant", "label"),
    [
        (negation_reaches_nothing, "talk"),
        (without("idiom"), "talk"),
        (without("tale"), "talk"),
        (without("other"), "talk"),
        (without("hedge"), "doubtful"),
    ],
    ids=["negation", "idiom", "tale", "other", "hedge"],
)
def test_a_planted_fault_is_seen(
    plant: Callable[[pytest.MonkeyPatch], None], label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = outcomes(corpus(), label)["stop"] + outcomes(TRAPS, label)["stop"]

    plant(monkeypatch)

    assert outcomes(corpus(), label)["stop"] + outcomes(TRAPS, label)["stop"] > before


TRAPS = [
    Said("traps", language, "talk", text)
    for language, text in (
        ("en", "I really do not want to unsubscribe from anything"),
        ("it", "non vorrei mai disiscrivermi dalla vostra lista"),
        ("de", "ich will mich nie abmelden"),
        ("fr", "je ne veux surtout pas me désabonner"),
        ("es", "no quiero darme de baja del boletín"),
        ("pl", "nie chcę się wypisać"),
        ("ru", "не хочу отписаться"),
        ("en", "why don't you stop by and send me the parcel"),
        ("en", "don't send me the invoice here"),
    )
]


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.text)
def test_a_trap_is_talk(trap: Said) -> None:
    assert heard_as(trap.text) != "stop"


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("pause 30 days", 30),
        ("pausa 2 settimane", 14),
        ("pausa per un mese grazie", 30),
        ("Pause für zwei Wochen bitte", 14),
        ("don't write to me for 10 days", 10),
        ("暂停两个星期", 14),
        ("30日間一時停止", 30),
        ("zwei Wochen keine Werbung bitte", 14),
        ("älkää lähettäkö viestejä kuukauteen", 30),
        ("не пишите мне две недели", 14),
        ("no messages for the next month please", 30),
        ("pause", None),
    ],
)
def test_a_pause_has_a_length(text: str, days: int | None) -> None:
    keyword = meaning(text)

    assert keyword is not None
    assert (keyword.meaning, keyword.days) == ("pause", days)


@pytest.mark.parametrize("text", ["pause 0 days", "pause 400 days", "pausa 99999999999999 giorni"])
def test_a_pause_out_of_bounds_is_doubtful(text: str) -> None:
    assert heard_as(text) == "doubtful"


@pytest.mark.parametrize(
    "text",
    [
        "stop sending me 3 messages a week",
        "I asked you two weeks ago to stop messaging me",
        "przestańcie wysyłać 3 smsy na tydzień",
        "hört auf mir 2 mal pro Woche zu schreiben",
    ],
)
def test_how_often_and_how_long_ago_is_no_pause(text: str) -> None:
    assert heard_as(text) == "stop"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("don't text me any more or else I go to the police", "stop"),
        ("non scrivetemi più altrimenti vi denuncio", "stop"),
        ("less of this or else I will unsubscribe", "doubtful"),
        ("scrivete meno altrimenti mi cancello", "doubtful"),
    ],
)
def test_what_comes_after_an_or_else_is_a_threat_and_no_end(text: str, what: str) -> None:
    assert heard_as(text) == what


def test_disinterest_is_heard_where_it_is_in_what_we_send() -> None:
    assert heard_as("I am not interested in your offers, thanks") == "stop"
    assert heard_as("not interested") == "doubtful"
    assert heard_as("I'm not interested in the blue one, but the red is nice") == "talk"


def test_the_rule_names_what_was_heard() -> None:
    keyword = meaning("could you please stop sending me your offers")

    assert keyword is not None
    assert keyword.rule == "free:cease+contact:stop sending"
    assert keyword.language == "en"
    assert 0.8 <= keyword.score < 1


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Könnten Sie bitte aufhören, mir zu schreiben?", "cease+contact"),
        ("пожалуйста прекратите, чтобы мне присылали ваши предложения", "cease+contact"),
        ("I would like you to stop, from sending me your offers", "cease+contact"),
    ],
)
def test_a_clause_that_goes_on_after_a_comma_is_read_with_the_one_before(
    text: str, rule: str
) -> None:
    keyword = meaning(text)

    assert keyword is not None
    assert keyword.meaning == "stop"
    assert keyword.rule.split(":")[1] == rule


def test_clauses_that_are_only_neighbours_are_read_apart() -> None:
    assert heard_as("the next stop, messages and all") == "talk"


@pytest.mark.parametrize(
    "text", ["STOOOOP", "bastaaaaa!!", "stooop sending me messaaages", "СТОООП"]
)
def test_drawn_out_letters_are_heard(text: str) -> None:
    assert heard_as(text) == "stop"


@pytest.mark.parametrize(
    "text",
    [
        "please unsubscirbe me",
        "pleaze stop sendng me mesages",
        "unsubsribe me from the newsleter",
        "cancelatemi dalla lisat, disiscirvetemi",
        "bitte abmeldenn, keine Nachrihcten mehr",
        "unsibscribe me",
    ],
)
def test_a_mistyped_word_is_heard(text: str) -> None:
    assert heard_as(text) == "stop"


@pytest.mark.parametrize("text", ["stop testing", "the lending library has no more sailing"])
def test_a_word_of_its_own_is_no_mistyped_one(text: str) -> None:
    assert heard_as(text) != "stop"


def test_a_typo_is_a_letter_more_or_less_or_swapped_inside_a_long_word() -> None:
    typos = Typos({"sending", "stop", "sendings"})

    assert typos.meant("sendng") == ["sending"]
    assert typos.meant("sennding") == ["sending"]
    assert typos.meant("senidng") == ["sending"]
    assert [typos.meant(word) for word in ("sanding", "ending", "sendin", "stp", "sendings")] == [
        [] for _ in range(5)
    ]


CLEAR = [said for said in corpus() if said.label == "stop"]
COURTESY = {language: spoken(str(TABLES[language]["courtesy"])) for language in LANGUAGES}


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(CLEAR),
    st.sampled_from((str.upper, str.lower, str.title)),
    st.sampled_from(("", "!", "!!!", " 🙏", " 😡😡", " …")),
    st.data(),
)
def test_courtesy_case_and_emoji_change_nothing(
    said: Said, case: Callable[[str], str], end: str, data: st.DataObject
) -> None:
    courtesy = data.draw(st.sampled_from(COURTESY[said.language]))
    text = data.draw(
        st.sampled_from(
            (f"{courtesy}, {case(said.text)}{end}", f"{case(said.text)}{end} {courtesy}")
        )
    )

    assert heard_as(text) == "stop"


@pytest.mark.parametrize("said", CLEAR, ids=lambda said: said.text)
def test_accents_change_nothing(said: Said) -> None:
    bare = "".join(
        sign for sign in unicodedata.normalize("NFD", said.text) if not "\u0300" <= sign <= "\u036f"
    )

    assert heard_as(bare) == "stop"


PIECES = [said.text for said in corpus()] + ["\n", ", ", "?", "\ud800", "\u0345", "1" * 50, "停"]


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join)))
@example("pause " + "9" * 4_000 + " days")
@example("٣ أيام إيقاف")
@example("pause ² days")
def test_nothing_raises_and_bare_words_stay_bare(text: str) -> None:
    keyword = meaning(text)
    words = normalise(text)

    assert keyword is None or 0 <= keyword.score <= 1
    assert keyword is None or keyword.days is None or 1 <= keyword.days <= 365
    assert normalise(" ".join(words)) == words
    assert units(units(words)) == units(words)


def test_a_link_says_nothing() -> None:
    assert sentences("see https://unsubscribe.example/stop?sending and stop@example.org") == (
        (("see", "and"),),
    )


def took(text: str) -> float:
    """Return the fewest seconds of three readings."""
    times = []
    for _ in range(3):
        begun = time.thread_time()
        meaning(text)
        times.append(time.thread_time() - begun)
    return min(times)


def test_an_ordinary_message_is_read_quickly(tell: Callable[[str], None]) -> None:
    each = [took(said.text) for said in corpus()]

    tell(
        f"time of a message: {1e6 * statistics.median(each):.0f} µs at the median,"
        f" {1e6 * sum(each) / len(each):.0f} µs on average,"
        f" {1e6 * sorted(each)[int(len(each) * 0.99)]:.0f} µs for the 99th in a hundred"
    )
    # Ten times the aim, so that a busy machine does not fail it and a quadratic rule does.
    assert sum(each) / len(each) < 0.003


@pytest.mark.parametrize(
    "piece",
    [
        "stop ",
        "non scrivete messaggi ",
        "a ",
        "不要再给我发消息",
        "s",
        ".",
        "stop.",
        "stop, to ",
        "stop and ",
        "remove me, it ",
        "unsubcribe ",
        "no ",
        "@a.",
        "9",
    ],
)
def test_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    quarter = piece * (LONGEST // 4 // len(piece))
    whole = piece * (LONGEST // len(piece))

    assert took(whole) < 12 * took(quarter) + 0.005
