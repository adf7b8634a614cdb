"""A story as the Bot API's calls: beautiful in the plain cases, within the limits in all."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base.text import utf16_length
from channels.telegram.render import render, text
from shared.contracts.stories import Choice, Frame, MediaFacts, Part, RenderedStory, Rendering
from shared.ids import new_id
from tests.channels.steady import steady

SHOP = {"label": "Shop", "url": "https://shop.example/"}
MORE = {"label": "More", "url": "https://more.example/"}
KEYBOARD = {"inline_keyboard": [[{"text": "Shop", "url": "https://shop.example/"}]]}


def facts(mime: str = "image/jpeg", **changes: Any) -> MediaFacts:
    kind = "video" if mime.startswith("video") else "image"
    plain = {"width": 1080, "height": 1920, "bytes": 300_000, "seconds": None}
    return MediaFacts(id=new_id(), kind=kind, mime=mime, **{**plain, **changes})


def photo(**fields: Any) -> tuple[MediaFacts, dict[str, Any]]:
    return facts(), fields


def tell(
    *frames: dict[str, Any] | tuple[MediaFacts, dict[str, Any]], **chosen: object
) -> Rendering:
    """Render frames: a dict is a frame without media, a pair has the media's facts first."""
    media: dict[UUID, MediaFacts] = {}
    made = []
    for frame in frames:
        if isinstance(frame, tuple):
            media[frame[0].id] = frame[0]
            made.append(Frame(media_id=frame[0].id, **frame[1]))
        else:
            made.append(Frame(**frame))
    story = RenderedStory(title="Autumn", language="it", frames=tuple(made), media=media)
    return render(story, chosen)


def methods(rendering: Rendering) -> list[str]:
    return [part.method for part in rendering.parts]


def codes(rendering: Rendering) -> list[tuple[str, int | None]]:
    return [(finding.code, finding.frame) for finding in rendering.findings]


def test_a_picture_with_words_and_a_button_is_one_call() -> None:
    picture = facts()

    rendering = tell((picture, {"text": "Nuovo", "button": SHOP}))

    params = {"photo": f"media:{picture.id}", "caption": "Nuovo", "reply_markup": KEYBOARD}
    assert rendering.parts == (Part(method="sendPhoto", params=params, media=(picture.id,)),)
    assert rendering.findings == ()


def test_a_video_says_its_size_and_length() -> None:
    video = facts("video/mp4", seconds=12.6)

    (part,) = tell((video, {})).parts

    assert part.method == "sendVideo"
    assert part.params == {
        "video": f"media:{video.id}",
        "width": 1080,
        "height": 1920,
        "duration": 12,
        "supports_streaming": True,
    }


def test_words_alone_are_a_message() -> None:
    (part,) = tell({"text": " Solo parole \n", "button": SHOP}).parts

    assert part.method == "sendMessage"
    assert part.params == {"text": "Solo parole", "reply_markup": KEYBOARD}


def test_pictures_are_an_album_with_words_and_button_below() -> None:
    rendering = tell(photo(text="Uno"), photo(), photo(text="Tre", button=SHOP))

    assert methods(rendering) == ["sendMediaGroup", "sendMessage"]
    album, below = (part.params for part in rendering.parts)
    assert [item.get("caption") for item in album["media"]] == ["Uno", None, None]  # type: ignore[attr-defined]
    assert below == {"text": "Tre", "reply_markup": KEYBOARD}
    assert codes(rendering) == [("button_moved", 2)]


def test_a_button_without_words_says_its_label() -> None:
    rendering = tell(photo(), photo(button=SHOP))

    assert rendering.parts[1].params == {"text": "Shop", "reply_markup": KEYBOARD}


def test_buttons_of_an_album_stand_below_it_in_order() -> None:
    rendering = tell(photo(text="A", button=SHOP), photo(text="B", button=MORE), {"text": "C"})

    assert methods(rendering) == ["sendMediaGroup", "sendMessage"]
    below = rendering.parts[1].params
    assert below["text"] == "A\n\nB\n\nC"
    rows = below["reply_markup"]["inline_keyboard"]  # type: ignore[index]
    assert [row[0]["text"] for row in rows] == ["Shop", "More"]


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (2, [2]),
        (10, [10]),
        (11, [6, 5]),
        (12, [6, 6]),
        (20, [10, 10]),
        (21, [7, 7, 7]),
        (30, [10, 10, 10]),
    ],
)
def test_many_pictures_are_albums_of_about_equal_size(count: int, sizes: list[int]) -> None:
    rendering = tell(*(photo() for _ in range(count)))

    assert methods(rendering) == ["sendMediaGroup"] * len(sizes)
    assert [len(part.params["media"]) for part in rendering.parts] == sizes  # type: ignore[arg-type]


def test_the_order_of_words_and_pictures_is_kept() -> None:
    rendering = tell(
        {"text": "Ciao"}, photo(text="a"), {"text": "b"}, {"text": "c"}, photo(), photo()
    )

    assert methods(rendering) == ["sendMessage", "sendPhoto", "sendMessage", "sendMediaGroup"]
    assert rendering.parts[2].params == {"text": "b\n\nc"}


def test_a_gif_stands_alone() -> None:
    rendering = tell(photo(), photo(), (facts("image/gif"), {"text": "!"}), photo())

    assert methods(rendering) == ["sendMediaGroup", "sendAnimation", "sendPhoto"]


def test_two_captions_in_an_album_are_told_to_be_hidden() -> None:
    rendering = tell(photo(text="Uno"), photo(text="Due"))

    assert codes(rendering) == [("captions_hidden", 0)]


def test_a_long_caption_is_cut_after_a_word() -> None:
    rendering = tell(photo(text="parola " * 400))

    caption = rendering.parts[0].params["caption"]
    assert isinstance(caption, str)
    assert caption.endswith("parola…")
    assert utf16_length(caption) <= 1_024
    assert codes(rendering) == [("shortened", 0)]


def test_emoji_count_twice() -> None:
    rendering = tell(photo(text="🎉" * 513))

    assert codes(rendering) == [("shortened", 0)]
    assert rendering.parts[0].params["caption"] == "🎉" * 511 + "…"


def test_words_that_do_not_fit_together_come_apart() -> None:
    rendering = tell({"text": "a" * 3_000, "button": SHOP}, {"text": "b" * 3_000})

    assert methods(rendering) == ["sendMessage", "sendMessage"]
    assert "reply_markup" in rendering.parts[0].params
    assert "reply_markup" not in rendering.parts[1].params


def test_what_telegram_cannot_show_is_told() -> None:
    rendering = tell(photo(alt="A cup", seconds=5), {"text": " \u200b"})

    assert codes(rendering) == [("alt_dropped", 0), ("seconds_dropped", 0), ("empty_frame", 1)]
    assert {finding.level for finding in rendering.findings} == {"warning"}


@pytest.mark.parametrize(
    ("media", "code"),
    [
        (facts("video/mp4", bytes=50_000_001), "video_too_large"),
        (facts(width=100, height=2_001), "photo_dimensions"),
        (facts(width=0), "photo_dimensions"),
        (facts("image/tiff"), "media_type"),
        (facts("video/webm"), "media_type"),
    ],
)
def test_what_telegram_would_refuse_is_an_error(media: MediaFacts, code: str) -> None:
    rendering = tell((media, {"text": "Words stay"}))

    assert codes(rendering) == [(code, 0)]
    assert rendering.findings[0].level == "error"
    assert methods(rendering) == ["sendMessage"]


@pytest.mark.parametrize(
    ("media", "told"),
    [
        (facts(bytes=10_000_001), "compressed anew"),
        (facts(width=8_000, height=4_000), "8,000 × 4,000 becomes 6,666 × 3,333"),
    ],
)
def test_a_picture_that_is_too_large_is_made_to_fit(media: MediaFacts, told: str) -> None:
    rendering = tell((media, {"text": "Words below"}))

    assert codes(rendering) == [("picture_fitted", 0)]
    assert rendering.findings[0].level == "warning"
    assert told in rendering.findings[0].message
    assert methods(rendering) == ["sendPhoto"]


@pytest.mark.parametrize(
    ("codec", "sound", "wanted"),
    [
        ("h264", "aac", []),
        ("hevc", None, []),
        (None, None, []),
        ("av1", "opus", [("video_codec", 0), ("video_sound", 0)]),
    ],
)
def test_a_video_that_some_clients_cannot_play_is_a_warning(
    codec: str | None, sound: str | None, wanted: list[tuple[str, int]]
) -> None:
    film = facts("video/mp4").model_copy(update={"codec": codec, "sound": sound})
    rendering = tell((film, {}))

    assert codes(rendering) == wanted
    assert {finding.level for finding in rendering.findings} <= {"warning"}
    assert methods(rendering) == ["sendVideo"]


def test_media_that_does_not_exist_is_an_error() -> None:
    rendering = tell({"media_id": new_id()})

    assert codes(rendering) == [("media_unknown", 0), ("nothing_to_send", None)]
    assert rendering.parts == ()


@pytest.mark.parametrize("url", ["http://localhost/x", "https://intranet:8080/"])
def test_a_button_to_a_host_without_a_dot_is_an_error(url: str) -> None:
    rendering = tell({"text": "x", "button": {"label": "Go", "url": url}})

    assert codes(rendering) == [("button_url", 0)]
    assert "reply_markup" not in rendering.parts[0].params


def test_more_than_thirty_frames_are_an_error() -> None:
    assert ("too_many_frames", None) in codes(tell(*({"text": "x"} for _ in range(31))))


def test_a_slideshow_is_one_call() -> None:
    first, second = facts(), facts("video/mp4", seconds=3)

    rendering = tell(
        {"text": "Ciao"},
        (first, {"text": "Uno"}),
        (second, {"button": SHOP}),
        {"text": "Fine"},
        form="slideshow",
    )

    (part,) = rendering.parts
    assert part.method == "sendRichMessage"
    assert part.media == (first.id, second.id)
    assert part.params["reply_markup"] == KEYBOARD
    words, slides, end = part.params["rich_message"]["blocks"]  # type: ignore[index]
    assert words == {"type": "paragraph", "text": "Ciao"}
    assert end == {"type": "paragraph", "text": "Fine"}
    assert slides["type"] == "slideshow"
    assert slides["blocks"][0] == {
        "type": "photo",
        "photo": {"type": "photo", "media": f"media:{first.id}"},
        "caption": {"text": "Uno"},
    }
    assert slides["blocks"][1]["video"]["media"] == f"media:{second.id}"


@pytest.mark.parametrize(
    "frames",
    [
        [photo()],
        [{"text": "x"}],
        [photo(), photo(), (facts("image/gif"), {})],
        [photo(text="a" * 20_000), photo(text="b" * 20_000)],
    ],
)
def test_what_cannot_be_a_slideshow_comes_as_an_album(frames: list[Any]) -> None:
    rendering = tell(*frames, form="slideshow")

    assert "sendRichMessage" not in methods(rendering)
    assert ("no_slideshow", None) in codes(rendering)


def test_an_unknown_form_comes_as_an_album() -> None:
    rendering = tell(photo(), form="hologram")

    assert methods(rendering) == ["sendPhoto"]
    assert codes(rendering) == [("form_unknown", None)]


def test_words_are_never_markup() -> None:
    rendering = tell({"text": "<b>*_[x](y)_*</b>"})

    assert rendering.parts[0].params == {"text": "<b>*_[x](y)_*</b>"}
    assert "parse_mode" not in text("<b>", {}).params


def test_a_long_reply_is_cut() -> None:
    shown = text("parola " * 1_000, {}).params["text"]

    assert isinstance(shown, str)
    assert utf16_length(shown) <= 4_096


MEDIA = st.builds(
    MediaFacts,
    id=st.uuids(),
    kind=st.sampled_from(["image", "video"]),
    mime=st.sampled_from(["image/jpeg", "image/png", "image/gif", "video/mp4", "x", ""]),
    width=st.integers(-1, 12_000),
    height=st.integers(-1, 12_000),
    seconds=st.none() | st.floats(0, 1e6),
    bytes=st.integers(0, 60_000_000),
)
WORDS = st.none() | st.text(max_size=60) | st.integers(0, 3_000).map(lambda n: "ciao 🎉 " * n)
BUTTON = st.none() | st.sampled_from([SHOP, MORE, {"label": "x", "url": "http://localhost/"}])


@st.composite
def stories(draw: st.DrawFn) -> RenderedStory:
    media = draw(st.lists(MEDIA, max_size=6, unique_by=lambda m: m.id))
    known = st.sampled_from([m.id for m in media]) if media else st.uuids()
    frame = st.builds(
        Frame,
        media_id=st.none() | known | st.uuids(),
        text=WORDS.map(lambda words: words and words[:32_768]),
        alt=st.none() | st.just("alt"),
        seconds=st.none() | st.just(3.0),
        button=BUTTON,
    )
    frames = draw(st.lists(frame, min_size=1, max_size=35))
    by_id = {m.id: m for m in media}
    return RenderedStory(title="t", language="it", frames=tuple(frames), media=by_id)


@steady
@given(stories(), st.sampled_from([{}, {"form": "slideshow"}, {"form": "album"}, {"form": 7}]))
def test_any_story_keeps_the_limits(story: RenderedStory, chosen: dict[str, object]) -> None:
    rendering = render(story, chosen)

    assert rendering == render(story, chosen)
    assert bool(rendering.parts) or "nothing_to_send" in [f.code for f in rendering.findings]
    for part in rendering.parts:
        check_part(part, story.media)


def check_part(part: Part, media: dict[UUID, MediaFacts]) -> None:
    params: Any = part.params
    assert len(set(part.media)) == len(part.media)
    for media_id in part.media:
        assert str(media_id) in str(params)
        assert media[media_id].bytes <= 50_000_000
    match part.method:
        case "sendMessage":
            assert 1 <= utf16_length(params["text"]) <= 4_096
            assert params["text"].strip() == params["text"]
        case "sendMediaGroup":
            assert 2 <= len(params["media"]) <= 10
            assert "reply_markup" not in params
            assert {item["type"] for item in params["media"]} <= {"photo", "video"}
            for item in params["media"]:
                assert 1 <= utf16_length(item.get("caption", "x")) <= 1_024
        case "sendPhoto" | "sendVideo" | "sendAnimation":
            assert 1 <= utf16_length(params.get("caption", "x")) <= 1_024
        case "sendRichMessage":
            assert len(params["rich_message"]["blocks"]) >= 1
        case other:
            pytest.fail(f"unknown method {other}")
    for row in params.get("reply_markup", {}).get("inline_keyboard", []):
        (button,) = row
        assert set(button) == {"text", "url"}
        assert "." in button["url"]


def test_choices_stand_side_by_side_and_come_back_with_a_tap() -> None:
    part = text("Permesso?", {}, (Choice(label="Sì", data="a"), Choice(label="No", data="b")))

    (row,) = part.params["reply_markup"]["inline_keyboard"]
    assert row == [{"text": "Sì", "callback_data": "a"}, {"text": "No", "callback_data": "b"}]
    assert "reply_markup" not in text("Ciao", {}).params
