"""A story in every language and every channel's own form, as it would be sent now."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from channels.base.channel import Channel
from services.dispatcher.desk import Desk
from services.dispatcher.queries import accounts
from shared.contracts.base import Contract
from shared.contracts.campaigns import ChannelFinding, StoryIn
from shared.contracts.stories import (
    Finding,
    Frame,
    MediaFacts,
    Part,
    RenderedStory,
    Rendering,
)


class LanguageRendering(Contract):
    """One language of a story on one channel: its calls, and what there is to say about them."""

    channel: str
    language: str
    parts: tuple[Part, ...]
    findings: tuple[ChannelFinding, ...] = ()


def media_of(frames: Iterable[Frame]) -> set[UUID]:
    """Return the media that these frames show."""
    return {frame.media_id for frame in frames if frame.media_id is not None}


def all_media(story: StoryIn) -> set[UUID]:
    """Return the media of a story in all its languages."""
    shown = media_of(story.frames)
    for variant in story.variants.values():
        shown |= media_of(variant.frames)
    return shown


def render(
    channel: Channel,
    story: StoryIn,
    media: Mapping[UUID, MediaFacts],
    settings: Mapping[str, object],
) -> dict[str, Rendering]:
    """Return a story's renderings on one channel by language, the story's own language first."""
    languages = {story.language: story.frames}
    for language, variant in story.variants.items():
        languages.setdefault(language, variant.frames)
    rendered = {
        language: channel.render(
            RenderedStory(
                title=story.title,
                language=language,
                frames=frames,
                media={i: media[i] for i in media_of(frames) if i in media},
            ),
            settings,
        )
        for language, frames in languages.items()
    }
    if (finding := _about_its_end(channel, story.expires_after)) is None:
        return rendered
    return {
        language: rendering.model_copy(update={"findings": (*rendering.findings, finding)})
        for language, rendering in rendered.items()
    }


def _about_its_end(channel: Channel, expires_after: int | None) -> Finding | None:
    """Say what a channel cannot do when the story is over; none when it can delete it."""
    if expires_after is None:
        return None
    can = channel.capabilities.take_back
    if can is None:
        code, message = "stays", "nothing can be taken back on this channel: the story stays"
    elif can.delete_within is None or can.delete_within.total_seconds() > expires_after:
        return None
    else:
        hours = f"{can.delete_within.total_seconds() / 3600:g} hours"
        code = "ends_in_words" if can.replaces else "stays"
        instead = "its words give way to a line that says so" if can.replaces else "the story stays"
        message = f"messages can be deleted for {hours} on this channel; when it is over, {instead}"
    return Finding(level="warning", code=code, message=message)


def choose_language(wanted: str | None, available: Iterable[str], *, default: str) -> str:
    """Return the language to write to a person in: theirs, else the same one of another region.

    `it-CH` is served by `it-CH`, then `it`, then the first other `it-…`, then the default.
    """
    if not wanted:
        return default
    languages = {language.lower(): language for language in available}
    exact = wanted.replace("_", "-").lower()
    primary = exact.partition("-")[0]
    for candidate in (exact, primary):
        if candidate in languages:
            return languages[candidate]
    if default.lower().partition("-")[0] == primary:
        return default
    for lowered, language in languages.items():
        if lowered.partition("-")[0] == primary:
            return language
    return default


def findings_of(channel: str, renderings: Mapping[str, Rendering]) -> list[ChannelFinding]:
    """Return what a channel has to say about all languages of a story."""
    return [
        ChannelFinding(channel=channel, language=language, **finding.model_dump())
        for language, rendering in renderings.items()
        for finding in rendering.findings
    ]


async def preview(
    desk: Desk, brand_id: UUID, story: StoryIn, *, only: str | None = None
) -> list[LanguageRendering]:
    """Return the exact calls of a story on every channel (or on `only` one).

    The settings are those of the brand's first account on the channel, where it has one.
    """
    async with desk.database.connection(brand_id) as connection:
        rows = await accounts.of_brand(connection, brand_id=brand_id)
    settings: dict[str, Mapping[str, object]] = {}
    for row in rows:
        settings.setdefault(row.channel, row.settings)
    media = await desk.media.facts(brand_id, all_media(story))
    return [
        LanguageRendering(
            channel=name,
            language=language,
            parts=rendering.parts,
            findings=tuple(findings_of(name, {language: rendering})),
        )
        for name, channel in desk.channels.items()
        if only in (None, name)
        for language, rendering in render(channel, story, media, settings.get(name, {})).items()
    ]


async def missing_media(desk: Desk, brand_id: UUID, story: StoryIn) -> list[dict[str, str]]:
    """Return the places of media that the brand does not have, as a problem's `errors`."""
    known = await desk.media.facts(brand_id, all_media(story))
    places = [("/frames", story.frames)] + [
        (f"/variants/{language}/frames", variant.frames)
        for language, variant in story.variants.items()
    ]
    return [
        {"pointer": f"{place}/{number}/media_id", "message": "there is no media of this id"}
        for place, frames in places
        for number, frame in enumerate(frames)
        if frame.media_id is not None and frame.media_id not in known
    ]
