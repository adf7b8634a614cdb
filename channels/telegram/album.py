"""A story as albums and messages: what every Telegram client can show.

    frames                                    parts
    picture + words + button                  sendPhoto, the words as caption, the button below
    three pictures                            sendMediaGroup
    three pictures, words + button on last    sendMediaGroup, sendMessage(words, button)
    words / picture / words                   sendMessage, sendPhoto, sendMessage
    eleven pictures                           sendMediaGroup of 6, sendMediaGroup of 5

The order of the frames is kept. Pictures that follow one another are one album (2–10, in albums of
about equal size, so that none is left alone). An album has no buttons: a frame with a button gives
its words and its button to the message below the album. Frames without a picture that follow one
another share one message too, as paragraphs, as long as it holds them: three short notes should
not ring three times. A GIF cannot be in an album and stands alone.
"""

from collections.abc import Iterator
from itertools import groupby, pairwise
from uuid import UUID

from channels.base.text import utf16_length
from channels.telegram.frames import CAPTION_LIMIT, TEXT_LIMIT, Screen, Shot, fit, warning
from shared.contracts.stories import Button, Finding, Part

_ALBUM_LIMIT = 10
_METHODS = {"photo": "sendPhoto", "video": "sendVideo", "animation": "sendAnimation"}


def as_album(screens: list[Screen], findings: list[Finding]) -> Iterator[Part]:
    """Yield the parts, in the order of the frames."""
    words: list[Screen] = []
    for goes_into_album, group in groupby(screens, key=_goes_into_album):
        run = list(group)
        if goes_into_album and len(run) > 1:
            yield from _messages(words, findings)
            yield from _albums(run, findings)
            words = _below(run, findings)
            continue
        for screen in run:
            if screen.shot is None:
                words.append(screen)
                continue
            yield from _messages(words, findings)
            words = []
            yield _single(screen, screen.shot, findings)
    yield from _messages(words, findings)


def _goes_into_album(screen: Screen) -> bool:
    return screen.shot is not None and screen.shot.kind != "animation"


def _single(screen: Screen, shot: Shot, findings: list[Finding]) -> Part:
    params: dict[str, object] = {shot.kind: shot.reference, **shot.measures()}
    if screen.text:
        params["caption"] = fit(screen.text, CAPTION_LIMIT, screen.index, findings)
    if screen.button:
        params["reply_markup"] = keyboard([screen.button])
    return Part(method=_METHODS[shot.kind], params=params, media=(shot.facts.id,))


def _albums(run: list[Screen], findings: list[Finding]) -> Iterator[Part]:
    count = -(-len(run) // _ALBUM_LIMIT)
    bounds = [-(-len(run) * number // count) for number in range(count + 1)]
    for begin, end in pairwise(bounds):
        items, media = [], []
        for screen in run[begin:end]:
            if screen.shot is not None:
                items.append(_item(screen, screen.shot, findings))
                media.append(screen.shot.facts.id)
        captioned = [item for item in items if "caption" in item]
        if len(captioned) > 1:
            findings.append(warning("captions_hidden", run[begin].index, _CAPTIONS_HIDDEN))
        yield Part(method="sendMediaGroup", params={"media": items}, media=distinct(media))


_CAPTIONS_HIDDEN = (
    "where several pictures of an album have words, Telegram shows them only when a picture is "
    "opened"
)


def _item(screen: Screen, shot: Shot, findings: list[Finding]) -> dict[str, object]:
    item: dict[str, object] = {"type": shot.kind, "media": shot.reference, **shot.measures()}
    if screen.text and not screen.button:
        item["caption"] = fit(screen.text, CAPTION_LIMIT, screen.index, findings)
    return item


def _below(run: list[Screen], findings: list[Finding]) -> list[Screen]:
    """Return the frames whose words and button go into the message below the album."""
    moved = [screen for screen in run if screen.button]
    for screen in moved:
        message = "an album has no buttons; this button, with its words, stands below the album"
        findings.append(warning("button_moved", screen.index, message))
    return moved


def _messages(words: list[Screen], findings: list[Finding]) -> Iterator[Part]:
    """Yield as few messages as hold these words; a button without words says its label."""
    text, buttons = "", list[Button]()
    for screen in words:
        own = screen.text or (screen.button.label if screen.button else "")
        own = fit(own, TEXT_LIMIT, screen.index, findings)
        joined = f"{text}\n\n{own}" if text else own
        if utf16_length(joined) > TEXT_LIMIT:
            yield message_of(text, buttons)
            joined, buttons = own, []
        text = joined
        if screen.button:
            buttons.append(screen.button)
    if text:
        yield message_of(text, buttons)


def message_of(text: str, buttons: list[Button]) -> Part:
    """Return a message of words, as they are: without a parse mode, nothing in them is markup."""
    params: dict[str, object] = {"text": text}
    if buttons:
        params["reply_markup"] = keyboard(buttons)
    return Part(method="sendMessage", params=params)


def keyboard(buttons: list[Button]) -> dict[str, object]:
    """Return one row for each button: labels of a story are long."""
    return {"inline_keyboard": [[{"text": b.label, "url": str(b.url)}] for b in buttons]}


def distinct(media: list[UUID]) -> tuple[UUID, ...]:
    """Return the ids in their order, each once."""
    return tuple(dict.fromkeys(media))
