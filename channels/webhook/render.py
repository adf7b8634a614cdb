"""A story, or a plain text, as the document that a brand's own system gets.

The whole story is one part, and nothing of it is left out. The document is described in README.md.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from channels.base.text import shorten
from shared.contracts.stories import (
    Choice,
    Finding,
    Frame,
    MediaFacts,
    Part,
    RenderedStory,
    Rendering,
)

TEXT_LIMIT = 32_768
METHOD = "POST"


def render(story: RenderedStory, settings: Mapping[str, object]) -> Rendering:
    """Return the one part with the whole story."""
    findings = tuple(_findings(story))
    params: dict[str, object] = {
        "type": "story",
        "story": {
            "title": story.title,
            "language": story.language,
            "frames": [_frame(frame, story.media) for frame in story.frames],
        },
    }
    return Rendering(parts=(Part(method=METHOD, params=params),), findings=findings)


def text(words: str, settings: Mapping[str, object], choices: Sequence[Choice] = ()) -> Part:
    """Return the one part that says these words, with the choices where there are some."""
    params: dict[str, object] = {"type": "text", "text": shorten(words, TEXT_LIMIT)}
    if choices:
        params["choices"] = [{"label": each.label, "data": each.data} for each in choices]
    return Part(method=METHOD, params=params)


def _findings(story: RenderedStory) -> list[Finding]:
    unknown = [
        Finding(
            level="error",
            code="media_unknown",
            frame=index,
            message="this picture or video does not exist",
        )
        for index, frame in enumerate(story.frames)
        if frame.media_id is not None and frame.media_id not in story.media
    ]
    if not any(frame.media_id or frame.text or frame.button for frame in story.frames):
        message = "nothing of this story can be shown"
        unknown.append(Finding(level="error", code="nothing_to_send", message=message))
    return unknown


def _frame(frame: Frame, media: Mapping[UUID, MediaFacts]) -> dict[str, object]:
    """Return a frame with all its fields; what the brand left out is null."""
    facts = media.get(frame.media_id) if frame.media_id else None
    button = frame.button
    return {
        "text": frame.text,
        "alt": frame.alt,
        "seconds": frame.seconds,
        "button": {"label": button.label, "url": str(button.url)} if button else None,
        "media": _media(facts) if facts else None,
    }


def _media(facts: MediaFacts) -> dict[str, object]:
    """Return a reference: the bytes are behind `GET /v1/media/{id}`, for the brand's own key."""
    return {
        "id": str(facts.id),
        "kind": facts.kind,
        "mime": facts.mime,
        "width": facts.width,
        "height": facts.height,
        "seconds": facts.seconds,
        "bytes": facts.bytes,
    }
