"""A story as the document that a brand's own system gets: all of it."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from channels.webhook.render import render, text
from shared.contracts.stories import Choice, Frame, MediaFacts, RenderedStory
from shared.ids import new_id
from tests.channels.steady import steady


def test_a_story_is_one_document_with_everything_in_it() -> None:
    video = MediaFacts(
        id=new_id(), kind="video", mime="video/mp4", width=720, height=1280, seconds=9.5, bytes=99
    )
    frames = (
        Frame(text="Ciao", button={"label": "Shop", "url": "https://shop.example/"}),
        Frame(media_id=video.id, alt="A cup", seconds=7),
    )
    story = RenderedStory(title="Autumn", language="it", frames=frames, media={video.id: video})

    rendering = render(story, {})

    (part,) = rendering.parts
    assert rendering.findings == ()
    assert part.media == ()
    assert part.params == {
        "type": "story",
        "story": {
            "title": "Autumn",
            "language": "it",
            "frames": [
                {
                    "text": "Ciao",
                    "alt": None,
                    "seconds": None,
                    "button": {"label": "Shop", "url": "https://shop.example/"},
                    "media": None,
                },
                {
                    "text": None,
                    "alt": "A cup",
                    "seconds": 7.0,
                    "button": None,
                    "media": {
                        "id": str(video.id),
                        "kind": "video",
                        "mime": "video/mp4",
                        "width": 720,
                        "height": 1280,
                        "seconds": 9.5,
                        "bytes": 99,
                    },
                },
            ],
        },
    }


def test_media_that_does_not_exist_is_an_error() -> None:
    story = RenderedStory(title="t", language="it", frames=(Frame(media_id=new_id()),))

    codes = [(finding.level, finding.code, finding.frame) for finding in render(story, {}).findings]

    assert codes == [("error", "media_unknown", 0)]


def test_a_story_of_nothing_is_an_error() -> None:
    story = RenderedStory(title="t", language="it", frames=(Frame(alt="only this"),))

    assert [finding.code for finding in render(story, {}).findings] == ["nothing_to_send"]


@steady
@given(
    st.text(),
    st.lists(st.builds(Frame, text=st.none() | st.text(), media_id=st.none() | st.uuids())),
)
def test_any_story_can_be_written_as_json(title: str, frames: list[Frame]) -> None:
    story = RenderedStory(title=title, language="it", frames=tuple(frames))

    (part,) = render(story, {}).parts

    written = orjson.loads(orjson.dumps(part.params))
    assert [frame["text"] for frame in written["story"]["frames"]] == [f.text for f in frames]


def test_a_text_is_a_document_too() -> None:
    assert text("Ciao", {}).params == {"type": "text", "text": "Ciao"}


def test_choices_are_told_with_what_a_tap_brings_back() -> None:
    part = text("Permesso?", {}, (Choice(label="Sì", data="a"),))

    assert part.params["choices"] == [{"label": "Sì", "data": "a"}]
    assert "choices" not in text("Ciao", {}).params
