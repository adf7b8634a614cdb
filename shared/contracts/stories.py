"""A story: a few full-screen frames that a brand tells, written once for every channel."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AnyHttpUrl, Field, StringConstraints, UrlConstraints

from shared.contracts.base import Contract

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
ButtonUrl = Annotated[AnyHttpUrl, UrlConstraints(max_length=2048)]


class Button(Contract):
    """A call to action below a frame."""

    label: Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]
    url: ButtonUrl


class Choice(Contract):
    """An answer that a person can give with one tap."""

    label: Annotated[str, StringConstraints(min_length=1, max_length=20)]
    data: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$")]
    """What comes back with the tap."""


class Frame(Contract):
    """One screen: a picture or a video, words, or both."""

    media_id: UUID | None = None
    text: Annotated[str, StringConstraints(max_length=32_768)] | None = None
    alt: Annotated[str, StringConstraints(max_length=1_000)] | None = None
    seconds: Annotated[float, Field(gt=0, le=60)] | None = None
    button: Button | None = None


class Variant(Contract):
    """The same story in another language."""

    frames: Annotated[tuple[Frame, ...], Field(min_length=1, max_length=30)]


class MediaFacts(Contract):
    """What a renderer may know about a picture or a video without opening it."""

    id: UUID
    kind: Literal["image", "video"]
    mime: str
    width: int
    height: int
    seconds: float | None = None
    codec: str | None = None
    """Of a video's pictures: `h264`, `hevc`, `av1`, `vp9`, `mpeg4`, else its own four letters."""
    sound: str | None = None
    """Of a video's sound: `aac`, `mp3`, `opus`, `ac3`, else its own four letters; none: silent."""
    bytes: int


class RenderedStory(Contract):
    """What a channel's renderer gets: one language's frames and the facts of their media."""

    title: str
    language: str
    frames: tuple[Frame, ...]
    media: dict[UUID, MediaFacts] = {}


class Finding(Contract):
    """What a channel could not show as written, and what it did instead."""

    level: Literal["error", "warning"]
    code: str
    frame: int | None = None
    """Index of the frame, from 0; none when it is about the whole story."""
    message: str


class Part(Contract):
    """One platform call, exactly as it will be made, but for the address.

    A string `media:<id>` stands where the platform's own reference to that media will be.
    """

    method: str
    params: dict[str, object]
    media: tuple[UUID, ...] = ()


class Rendering(Contract):
    """A story in one channel's own form: its parts in order, and the findings about them."""

    parts: tuple[Part, ...]
    findings: tuple[Finding, ...] = ()
