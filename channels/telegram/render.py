"""A story, or a plain text, as the exact calls of the Bot API that will be made.

People's words are sent as they are, without a parse mode, so nothing in them is ever markup.
A story's title is for the brand; nobody on Telegram sees it.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from pydantic import ConfigDict, Field

from channels.base.settings import AccountSettings
from channels.base.text import shorten, visible
from channels.telegram.album import as_album
from channels.telegram.frames import TEXT_LIMIT, Screen, read_frames, warning
from channels.telegram.slideshow import as_slideshow, why_not
from shared.contracts.stories import Choice, Finding, Part, RenderedStory, Rendering

Form = Literal["album", "slideshow"]


class Settings(AccountSettings):
    """What a brand may choose for a bot."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="Telegram")

    form: Form = Field(
        default="album",
        title="Form of a story",
        description="`album`: albums and messages, which every client shows. `slideshow`: one "
        "rich message with pages to swipe, for people with a client of 2026 or newer.",
    )


def render(story: RenderedStory, settings: Mapping[str, object]) -> Rendering:
    """Return the calls that tell this story, in order, and what Telegram cannot show of it."""
    screens, findings = read_frames(story)
    if _form(settings, screens, findings) == "slideshow":
        return Rendering(parts=(as_slideshow(screens),), findings=tuple(findings))
    parts = tuple(as_album(screens, findings))
    return Rendering(parts=parts, findings=tuple(findings))


def _form(settings: Mapping[str, object], screens: list[Screen], findings: list[Finding]) -> Form:
    """Return the form that the account asks for, or albums where it cannot be had."""
    asked = settings.get("form", "album")
    if asked == "slideshow" and screens:
        reason = why_not(screens)
        if reason is None:
            return "slideshow"
        findings.append(warning("no_slideshow", None, f"{reason}; this story comes as an album"))
    elif asked not in get_args(Form):
        unknown = "this form of a story is not known; it comes as an album"
        findings.append(warning("form_unknown", None, unknown))
    return "album"


def text(words: str, settings: Mapping[str, object], choices: Sequence[Choice] = ()) -> Part:
    """Return the one call that says these words; links in them open no preview card.

    The choices stand side by side below them, and come back as callback queries.
    """
    shown = shorten(visible(words) or words, TEXT_LIMIT)
    params: dict[str, object] = {"text": shown, "link_preview_options": {"is_disabled": True}}
    if choices:
        row = [{"text": each.label, "callback_data": each.data} for each in choices]
        params["reply_markup"] = {"inline_keyboard": [row]}
    return Part(method="sendMessage", params=params)
