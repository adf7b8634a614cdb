"""A story as one rich message with a slideshow: pages to swipe, words between, buttons below.

Rich messages came with Bot API 10.1 to 10.3; an older client shows a request to update in their
place, so a brand chooses this form itself. https://core.telegram.org/bots/api#inputrichmessage
"""

from itertools import groupby

from channels.base.text import utf16_length
from channels.telegram.album import distinct, keyboard
from channels.telegram.frames import Screen
from shared.contracts.stories import Part

_RICH_TEXT_LIMIT = 32_768
_SHOWN_IN_SLIDES = frozenset(["photo", "video"])


def why_not(screens: list[Screen]) -> str | None:
    """Say why this story cannot be a slideshow; none when it can."""
    shots = [screen.shot for screen in screens if screen.shot]
    if len(shots) < 2:
        return "a slideshow needs two pictures or videos"
    if any(shot.kind not in _SHOWN_IN_SLIDES for shot in shots):
        return "a slideshow shows photos and videos, no GIF"
    if sum(utf16_length(screen.text or "") for screen in screens) > _RICH_TEXT_LIMIT:
        return f"a rich message holds {_RICH_TEXT_LIMIT:,} characters"
    return None


def as_slideshow(screens: list[Screen]) -> Part:
    """Return the one part. All buttons stand below it, in the order of their frames."""
    blocks: list[dict[str, object]] = []
    for has_shot, group in groupby(screens, key=lambda screen: screen.shot is not None):
        run = list(group)
        if not has_shot:
            blocks.extend({"type": "paragraph", "text": s.text} for s in run if s.text)
        elif len(run) == 1:
            blocks.append(_slide(run[0]))
        else:
            slides = [_slide(screen) for screen in run]
            blocks.append({"type": "slideshow", "blocks": slides})
    params: dict[str, object] = {"rich_message": {"blocks": blocks}}
    buttons = [screen.button for screen in screens if screen.button]
    if buttons:
        params["reply_markup"] = keyboard(buttons)
    media = [screen.shot.facts.id for screen in screens if screen.shot]
    return Part(method="sendRichMessage", params=params, media=distinct(media))


def _slide(screen: Screen) -> dict[str, object]:
    assert screen.shot is not None
    shot = screen.shot
    item = {"type": shot.kind, "media": shot.reference, **shot.measures()}
    slide: dict[str, object] = {"type": shot.kind, shot.kind: item}
    if screen.text:
        slide["caption"] = {"text": screen.text}
    return slide
