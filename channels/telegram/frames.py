"""A story's frames as Telegram can take them: checked, with a finding for all that cannot stay.

The limits: https://core.telegram.org/bots/api#sending-files, #sendphoto and #sendvideo. A megabyte
is counted as 1,000,000 bytes, the smaller of its two meanings.
"""

from dataclasses import dataclass
from typing import Literal

from channels.base.media import PictureLimits, VideoLimits, fit_picture, video_problems
from channels.base.text import shorten, utf16_length, visible
from shared.contracts.stories import Button, Finding, Frame, MediaFacts, RenderedStory

MOST_FRAMES = 30
TEXT_LIMIT = 4_096
CAPTION_LIMIT = 1_024

PICTURES = PictureLimits(
    formats=("image/jpeg", "image/png", "image/webp"),
    most_bytes=10_000_000,
    most_sides=10_000,
    most_ratio=20,
)
VIDEOS = VideoLimits(most_bytes=50_000_000, codecs=("h264", "hevc"))
"""Other codecs are taken too, and come as a file that some clients cannot play."""
_ONLY_WARNED = frozenset(["video_codec", "video_sound"])

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
    fits = _photo_fits if kind == "photo" else _video_fits
    return Shot(kind, facts) if fits(index, facts, findings) else None


def _photo_fits(index: int, facts: MediaFacts, findings: list[Finding]) -> bool:
    """Say whether a photo can be sent, with a finding when it is made smaller or cannot be."""
    size = f"{facts.width:,} × {facts.height:,}"
    found = fit_picture(facts, PICTURES)
    if found is None:
        narrow = "on Telegram no side of a photo is more than 20 times the other"
        findings.append(error("photo_dimensions", index, f"{narrow}; this one is {size}"))
    elif (found.width, found.height) != (facts.width, facts.height):
        smaller = f"the picture is made smaller: {size} becomes {found.width:,} × {found.height:,}"
        findings.append(warning("picture_fitted", index, smaller))
    elif found.changed:
        lighter = "the picture is compressed anew: Telegram takes photos of at most 10 MB"
        findings.append(warning("picture_fitted", index, lighter))
    return found is not None


def _video_fits(index: int, facts: MediaFacts, findings: list[Finding]) -> bool:
    problems = video_problems(facts, VIDEOS)
    for code, told in problems:
        say = warning if code in _ONLY_WARNED else error
        shown = f"Telegram shows {told}" if say is warning else f"Telegram takes {told}"
        findings.append(say(code, index, shown))
    return all(code in _ONLY_WARNED for code, _ in problems)


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
