"""What a platform takes as a picture or a video, and what that makes of one. Pure.

A picture that is too large is made smaller before it is sent, once for each platform; a video is
passed through or not at all.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from shared.contracts.stories import MediaFacts

FORMATS: Mapping[str, str] = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
"""The pictures that can be fitted. A GIF moves, and is sent as it is."""


@dataclass(frozen=True)
class PictureLimits:
    """The largest picture of a platform. Units: bytes, pixels."""

    formats: tuple[str, ...]
    """MIME types, JPEG among them: a picture of any other becomes one."""
    most_bytes: int
    most_side: int | None = None
    most_sides: int | None = None
    """Width and height together."""
    most_ratio: float | None = None
    """The long side over the short one. Pictures are not cropped, so nothing can be done here."""

    @property
    def name(self) -> str:
        """The same for equal limits: what has been fitted to them is found by it."""
        limits = (self.most_bytes, self.most_side, self.most_sides, self.most_ratio)
        return "|".join((*self.formats, *(str(limit) for limit in limits)))


@dataclass(frozen=True, slots=True)
class Fit:
    """How a picture is sent."""

    width: int
    height: int
    changed: bool
    """It is made anew: smaller, of fewer bytes, or in another format."""


def fit_picture(facts: MediaFacts, limits: PictureLimits) -> Fit | None:
    """Return how a picture fits into these limits; none when it is too long and narrow."""
    short, long = sorted((facts.width, facts.height))
    if short < 1 or (limits.most_ratio is not None and long > short * limits.most_ratio):
        return None
    scale = 1.0
    if limits.most_side is not None:
        scale = min(scale, limits.most_side / long)
    if limits.most_sides is not None:
        scale = min(scale, limits.most_sides / (short + long))
    width, height = facts.width, facts.height
    if scale < 1:
        width, height = (max(1, math.floor(side * scale)) for side in (width, height))
    short, long = sorted((width, height))
    if limits.most_ratio is not None and long > short * limits.most_ratio:
        return None
    changed = scale < 1 or facts.bytes > limits.most_bytes or facts.mime not in limits.formats
    return Fit(width, height, changed)


@dataclass(frozen=True)
class VideoLimits:
    """The largest video of a platform. Units: bytes, pixels, seconds."""

    most_bytes: int
    codecs: tuple[str, ...]
    """Of the pictures, as in `MediaFacts.codec`: what every client shows."""
    sounds: tuple[str, ...] = ("aac",)
    most_seconds: float | None = None
    most_side: int | None = None


def video_problems(facts: MediaFacts, limits: VideoLimits) -> list[tuple[str, str]]:
    """Return (code, what is too much) for each limit that a video does not keep to."""
    problems = []
    if facts.bytes > limits.most_bytes:
        most = limits.most_bytes / 1_000_000
        problems.append(("video_too_large", f"videos of at most {most:g} MB"))
    if limits.most_seconds is not None and (facts.seconds or 0) > limits.most_seconds:
        told = f"videos of at most {limits.most_seconds:g} seconds; this one has {facts.seconds:g}"
        problems.append(("video_too_long", told))
    if limits.most_side is not None and max(facts.width, facts.height) > limits.most_side:
        told = f"videos of at most {limits.most_side:,} pixels; this one is {facts.width:,} × "
        problems.append(("video_dimensions", f"{told}{facts.height:,}"))
    if facts.codec is not None and facts.codec not in limits.codecs:
        known = " or ".join(limits.codecs)
        problems.append(("video_codec", f"videos in {known}; this one is in {facts.codec}"))
    if facts.sound is not None and facts.sound not in limits.sounds:
        known = " or ".join(limits.sounds)
        problems.append(("video_sound", f"sound in {known}; this video has {facts.sound}"))
    return problems
