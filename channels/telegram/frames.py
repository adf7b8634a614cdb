"""A story's frames as Telegram can take them: checked, with a finding for all that cannot stay.

The limits: https://core.telegram.org/bots/api#sending-files and #sendphoto. A megabyte is counted
as 1,000,000 bytes, the smaller of its two meanings.
"""

from dataclasses import dataclass
from typing import Literal

from channels.base.text import shorten, utf16_length, visible
from shared.contracts.stories import Button, Finding, Frame, MediaFacts, RenderedStory

MOST_FRAMES = 30
TEXT_LIMIT = 4_096
CAPTION_LIMIT = 1_024

_PHOTO_BYTES = 10_000_000
_VIDEO_BYTES = 50_000_000
_PHOTO_SIDES = 10_000
_PHOTO_RATIO = 20

Kind = Literal["photo", "video", "animation"]
_KINDS: dict[str, Kind] = {
    "image/jpeg": "photo",
    "image/png": "photo",
    "image/webp": "photo",
    "image/gif": "animation",
    "video/mp4": "video",
}


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture or a video that Telegram will take."""

    kind: Kind
    facts: MediaFacts

    @property
    def reference(self) -> str:
        """The string that stands where Telegram's file id will be."""
        return f"media:{self.facts.id}"

    def measures(self) -> dict[str, object]:
        """Return what Telegram wants to know of a video, in pixels and whole seconds."""
        if self.kind == "photo":
            return {}
        size = {"width": self.facts.width, "height": self.facts.height}
        measures: dict[str, object] = {name: side for name, side in size.items() if side > 0}
        if self.facts.seconds is not None and self.facts.seconds >= 1:
            measures["duration"] = int(self.facts.seconds)
        if self.kind == "video":
            measures["supports_streaming"] = True
        return measures


@dataclass(frozen=True, slots=True)
class Screen:
    """One frame that has something to show: a shot, words, a button, or several of them."""

    index: int
    shot: Shot | None
    text: str | None
    button: Button | None


def read_frames(story: RenderedStory) -> tuple[list[Screen], list[Finding]]:
    """Return the screens that Telegram can show, and what had to be left out of the story."""
    findings: list[Finding] = []
    if len(story.frames) > MOST_FRAMES:
        surplus = f"a story has at most {MOST_FRAMES} frames; this one has {len(story.frames)}"
        findings.append(error("too_many_frames", None, surplus))
    screens = []
    for index, frame in enumerate(story.frames[:MOST_FRAMES]):
        screen = _read_frame(index, frame, story, findings)
        if screen.shot or screen.text or screen.button:
            screens.append(screen)
        elif frame.media_id is None:
            findings.append(warning("empty_frame", index, "nothing to show in this frame"))
    if not screens:
        nothing = "nothing of this story can be shown on Telegram"
        findings.append(error("nothing_to_send", None, nothing))
    return screens, findings


def _read_frame(index: int, frame: Frame, story: RenderedStory, findings: list[Finding]) -> Screen:
    if frame.alt:
        no_alt = "Telegram has no place for the description of a picture; it is left out"
        findings.append(warning("alt_dropped", index, no_alt))
    if frame.seconds is not None:
        no_seconds = "people turn the pages themselves on Telegram; the seconds are left out"
        findings.append(warning("seconds_dropped", index, no_seconds))
    return Screen(
        index=index,
        shot=_read_shot(index, frame, story, findings),
        text=visible(frame.text),
        button=_read_button(index, frame.button, findings),
    )


def _read_shot(
    index: int, frame: Frame, story: RenderedStory, findings: list[Finding]
) -> Shot | None:
    if frame.media_id is None:
        return None
    facts = story.media.get(frame.media_id)
    if facts is None:
        findings.append(error("media_unknown", index, "this picture or video does not exist"))
        return None
    kind = _KINDS.get(facts.mime)
    if kind is None:
        taken = "Telegram takes JPEG, PNG, WebP and GIF pictures, and MP4 videos"
        findings.append(error("media_type", index, f"{taken}; this is {facts.mime[:80]}"))
        return None
    problem = _photo_problem(facts) if kind == "photo" else _video_problem(facts)
    if problem is not None:
        findings.append(error(problem[0], index, problem[1]))
        return None
    return Shot(kind, facts)


def _photo_problem(facts: MediaFacts) -> tuple[str, str] | None:
    if facts.bytes > _PHOTO_BYTES:
        return "photo_too_large", "Telegram takes photos of at most 10 MB"
    short, long = sorted((facts.width, facts.height))
    if short < 1 or short + long > _PHOTO_SIDES or long > short * _PHOTO_RATIO:
        return (
            "photo_dimensions",
            "on Telegram a photo's width and height add up to at most 10,000 pixels, and none is "
            f"more than 20 times the other; this one is {facts.width} × {facts.height}",
        )
    return None


def _video_problem(facts: MediaFacts) -> tuple[str, str] | None:
    if facts.bytes > _VIDEO_BYTES:
        return "video_too_large", "Telegram takes videos of at most 50 MB"
    return None


def _read_button(index: int, button: Button | None, findings: list[Finding]) -> Button | None:
    if button is None:
        return None
    host = button.url.host or ""
    if "." not in host and not host.startswith("["):
        wrong = "Telegram takes no button to a host without a dot in its name, like localhost"
        findings.append(error("button_url", index, wrong))
        return None
    return button


def fit(text: str, limit: int, index: int, findings: list[Finding]) -> str:
    """Return the text within so many UTF-16 units, with a finding when it had to be cut."""
    length = utf16_length(text)
    if length <= limit:
        return text
    message = f"Telegram takes {limit:,} characters here; these are {length:,}, and the end is cut"
    findings.append(warning("shortened", index, message))
    return shorten(text, limit)


def error(code: str, frame: int | None, message: str) -> Finding:
    """Say what keeps the story from being sent."""
    return Finding(level="error", code=code, frame=frame, message=message)


def warning(code: str, frame: int | None, message: str) -> Finding:
    """Say what will look different from what was written."""
    return Finding(level="warning", code=code, frame=frame, message=message)
