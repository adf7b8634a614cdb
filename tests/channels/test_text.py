"""Words are counted in UTF-16 units and never cut inside a letter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base.text import ELLIPSIS, is_boundary, shorten, utf16_length, visible
from tests.channels.steady import steady

FAMILY = "👨‍👩‍👧‍👦"
SKIN = "👍🏽"
ITALY = "🇮🇹"
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
ACCENT = "e\u0301"
HINDI = "\u0915\u094d\u0937\u093f"  # kṣi: four code points, one letter
KOREAN = "\u1112\u1161\u11ab"  # han, in three parts
KEYCAP = "1\ufe0f\u20e3"
CLUSTERS = [FAMILY, SKIN, ITALY, SCOTLAND, ACCENT, HINDI, KOREAN, KEYCAP, "☕️", "\r\n", "한", "𝒳"]

LETTERS = st.sampled_from([*CLUSTERS, "a", "b", " ", "\n", ".", "ß", "\u200d", "\u0301", "🇩"])
WORDS = st.one_of(st.lists(LETTERS).map("".join), st.text())


@steady
@given(WORDS)
def test_units_are_those_of_utf_16(text: str) -> None:
    assert utf16_length(text) == len(text.encode("utf-16-le", "surrogatepass")) // 2


@steady
@given(WORDS, st.integers(1, 60))
def test_a_short_text_stays_and_a_long_one_is_its_own_beginning(text: str, limit: int) -> None:
    short = shorten(text, limit)

    assert utf16_length(short) <= limit
    if utf16_length(text) <= limit:
        assert short == text
    else:
        assert short.endswith(ELLIPSIS)
        assert text.startswith(short[:-1])
        assert is_boundary(text, len(short) - 1)
        assert short[:-1] == short[:-1].rstrip()


@steady
@given(st.lists(st.sampled_from(CLUSTERS), min_size=1), st.integers(1, 60))
def test_no_letter_is_cut(clusters: list[str], limit: int) -> None:
    text = "".join(clusters)
    ends, end = {0}, 0
    for cluster in clusters:
        end += len(cluster)
        ends.add(end)

    short = shorten(text, limit)

    assert short == text or len(short) - 1 in ends or text[len(short) - 1].isspace()


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_cluster_has_no_boundary_inside(cluster: str) -> None:
    text = f"x{cluster}y"

    inside = [place for place in range(2, len(cluster) + 1) if is_boundary(text, place)]

    assert inside == []
    assert is_boundary(text, 1)
    # After a joiner at the end of a cluster we would rather not cut; none of these ends with one.
    assert is_boundary(text, len(cluster) + 1)


def test_flags_are_cut_between_and_never_within() -> None:
    text = ITALY * 3

    assert [place for place in range(7) if is_boundary(text, place)] == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("buongiorno a tutti", 18, "buongiorno a tutti"),
        ("buongiorno a tutti", 17, "buongiorno a…"),
        ("buongiorno a tutti", 12, "buongiorno…"),
        ("buongiorno", 5, "buon…"),
        ("uno, due", 5, "uno,…"),
        ("a 12345678901234567890", 12, "a 123456789…"),
        (FAMILY + FAMILY, 11, "…"),
        (FAMILY + FAMILY, 12, FAMILY + "…"),
        ("e" + "\u0301" * 50, 10, "…"),
        ("riga\nriga", 6, "riga…"),
        ("xy", 1, "…"),
    ],
)
def test_where_the_cut_falls(text: str, limit: int, short: str) -> None:
    assert shorten(text, limit) == short


@pytest.mark.parametrize("text", [None, "", "  \n", "\u200b\u200d", "\u00a0\u2028", "\ufeff"])
def test_what_nobody_can_see_is_no_text(text: str | None) -> None:
    assert visible(text) is None


@pytest.mark.parametrize("text", [" ciao ", "☕", "👋", "\u2800x", "。"])
def test_what_can_be_seen_keeps_its_inside(text: str) -> None:
    assert visible(text) == text.strip()
