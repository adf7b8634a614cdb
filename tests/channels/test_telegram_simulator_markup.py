"""The simulated Telegram reads formatted text as Telegram does."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.telegram.simulator.entities import formatted
from channels.telegram.simulator.errors import BotApiError
from channels.telegram.simulator.utf16 import cut, units


def spans(text: str, mode: str = "", entities: Any = None) -> list[tuple[str, str]]:
    said = formatted(text, mode, entities)
    return [(e["type"], cut(said.text, e["offset"], e["length"])) for e in said.entities]


@pytest.mark.parametrize(
    ("source", "text", "marked"),
    [
        ("<b>a</b>b", "ab", [("bold", "a")]),
        ("<b>a<i>b</i></b>", "ab", [("bold", "ab"), ("italic", "b")]),
        ("🙂<u>è</u>", "🙂è", [("underline", "è")]),
        ('<a href="https://x.it/?a=1&amp;b=2">x</a>', "x", [("text_link", "x")]),
        ("1 &lt; 2 &amp; 3 &nbsp;", "1 < 2 & 3 &nbsp;", []),
        ('<pre><code class="language-python">x=1</code></pre>', "x=1", [("pre", "x=1")]),
        ('<span class="tg-spoiler">s</span>', "s", [("spoiler", "s")]),
        ("  <b> a </b>  ", "a", [("bold", "a")]),
        ("<blockquote expandable>q</blockquote>", "q", [("expandable_blockquote", "q")]),
    ],
)
def test_html(source: str, text: str, marked: list[tuple[str, str]]) -> None:
    assert formatted(source, "HTML", None).text == text
    assert spans(source, "HTML") == marked


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("<h1>x</h1>", 'Unsupported start tag "h1" at byte offset 0'),
        ("è<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("a <b", "Unclosed start tag at byte offset 2"),
    ],
)
def test_html_complaints(source: str, complaint: str) -> None:
    with pytest.raises(BotApiError) as caught:
        formatted(source, "html", None)

    assert caught.value.description == f"Bad Request: can't parse entities: {complaint}"


@pytest.mark.parametrize(
    ("source", "text", "marked"),
    [
        ("*a* _b_ __c__ ~d~ ||e||", "a b c d e", [
            ("bold", "a"), ("italic", "b"), ("underline", "c"), ("strikethrough", "d"),
            ("spoiler", "e")]),
        ("*a _b_*", "a b", [("bold", "a b"), ("italic", "b")]),
        (r"1\.5 \* 2", "1.5 * 2", []),
        ("[x](https://x.it/a\\)b)", "x", [("text_link", "x")]),
        ("`a*b`", "a*b", [("code", "a*b")]),
        ("```py\nx\n```", "x", [("pre", "x")]),
        (">one\n>two\nthree", "one\ntwo\nthree", [("blockquote", "one\ntwo\n")]),
    ],
)  # fmt: skip
def test_markdown_v2(source: str, text: str, marked: list[tuple[str, str]]) -> None:
    assert formatted(source, "MarkdownV2", None).text == text
    assert spans(source, "MarkdownV2") == marked


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("a.", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("è *a", "Can't find end of Bold entity at byte offset 3"),
        ("[x](https://x.it", "Can't find end of a URL at byte offset 4"),
    ],
)
def test_markdown_v2_complaints(source: str, complaint: str) -> None:
    with pytest.raises(BotApiError) as caught:
        formatted(source, "MarkdownV2", None)

    assert caught.value.description == f"Bad Request: can't parse entities: {complaint}"


def test_the_old_markdown() -> None:
    assert spans("*a* _b_ `c` [d](https://x.it)", "Markdown") == [
        ("bold", "a"),
        ("italic", "b"),
        ("code", "c"),
        ("text_link", "d"),
    ]


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("vai su https://x.it/a?b=1.", [("url", "https://x.it/a?b=1")]),
        ("caffe.it è aperto", [("url", "caffe.it")]),
        ("scrivi a ciao@caffe.it", [("email", "ciao@caffe.it")]),
        ("/stop @caffe_aurora #autunno", [
            ("bot_command", "/stop"), ("mention", "@caffe_aurora"), ("hashtag", "#autunno")]),
        ("3/4 e 50.000 e a@b", []),
    ],
)  # fmt: skip
def test_links_are_found_unmarked(text: str, marked: list[tuple[str, str]]) -> None:
    assert spans(text) == marked


def test_given_entities_move_with_the_trimmed_text() -> None:
    assert spans("  ab ", entities=[{"type": "bold", "offset": 2, "length": 1}]) == [("bold", "a")]


@given(text=st.text(max_size=60), mode=st.sampled_from(["", "HTML", "Markdown", "MarkdownV2"]))
def test_no_text_breaks_the_parser(text: str, mode: str) -> None:
    said = None
    with suppress(BotApiError):
        said = formatted(text, mode, None)

    if said is None:
        assert mode, "a text without markup is never refused"
        return
    length = units(said.text)
    for entity in said.entities:
        assert entity["length"] > 0
        assert 0 <= entity["offset"] <= entity["offset"] + entity["length"] <= length
