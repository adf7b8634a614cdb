"""One message to one person: what a brand sends by itself, and what the house answers."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog

from services.dispatcher import reports, stories
from services.dispatcher.desk import Desk
from services.dispatcher.queries import accounts, singles
from services.dispatcher.queries.accounts import AccountRow
from services.dispatcher.renderings import all_media, choose_language, render
from services.dispatcher.stories import NoSuchStory
from shared import clock
from shared.clients.base import ServiceRefused, ServiceUnavailable
from shared.contracts.campaigns import StoryIn
from shared.contracts.messages import Content, HouseContent, HouseMessage, Message, MessageIn
from shared.contracts.stories import Frame, Part, Rendering
from shared.problems import Problem

log = structlog.get_logger()

_UNWRITTEN = "und"
"""The language (BCP 47: undetermined) of words that a brand gave without saying theirs."""


@dataclass(frozen=True, slots=True)
class _Permission:
    """What consent said when the message was accepted; it is asked again before each send."""

    withheld: str | None = None
    seq: int = 0
    event_id: UUID | None = None
    waits_for: str | None = None
    until: datetime | None = None
    """When consent is asked again, where a yes has to wait, and for what."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Which campaign a message is a test of, and of which of its variants."""

    campaign_id: UUID
    variant: str | None


async def put(
    desk: Desk,
    brand_id: UUID,
    message_id: UUID,
    wanted: MessageIn | HouseMessage,
    *,
    trial: Trial | None = None,
) -> tuple[Message, bool]:
    """Queue a message under its id; return it, and whether it is new. A repeat changes nothing."""
    async with desk.database.connection(brand_id) as connection:
        if await singles.exists(connection, brand_id=brand_id, message_id=message_id):
            return await reports.read_in(connection, brand_id, message_id), False
        account = await accounts.find(connection, brand_id=brand_id, account_id=wanted.account_id)
    if account is None:
        raise _invalid("/account_id", "there is no account of this id")
    address = _address(desk, account, wanted.address)
    if isinstance(wanted, HouseMessage):
        who, language = _Who(wanted.person_id), wanted.language
    else:
        who = await _who(desk, account, address)
        # Words that a brand wrote are in whatever language they are in.
        language = who.language if wanted.content.story_id is not None else None
    language, parts = await _parts(desk, account, wanted.content, language)
    allowed = await _ask(desk, brand_id, wanted, address)
    now = clock.now()
    day = now.astimezone(UTC).date()
    async with desk.database.connection(brand_id) as connection:
        if not await accounts.stays(connection, brand_id=brand_id, account_id=account.id):
            raise _invalid("/account_id", "there is no account of this id")
        new = await singles.remember(connection, brand_id=brand_id, message_id=message_id, day=day)
        if new:
            await singles.insert(
                connection,
                brand_id=brand_id,
                message_id=message_id,
                day=day,
                account_id=account.id,
                person_id=who.person_id,
                address=address,
                language=language,
                purpose=wanted.purpose,
                withheld=allowed.withheld,
                waits_for=allowed.waits_for,
                parts=[part.model_dump(mode="json") for part in parts],
                due_at=allowed.until or now,
                grant_seq=allowed.seq,
                consent_event_id=allowed.event_id,
                test_of=None if trial is None else trial.campaign_id,
                variant=None if trial is None else trial.variant,
            )
        message = await reports.read_in(connection, brand_id, message_id)
    desk.nudge_lane(account.id)
    return message, new


@dataclass(frozen=True, slots=True)
class _Who:
    """Whoever is behind an address, as far as that is known."""

    person_id: UUID | None = None
    language: str | None = None


async def _who(desk: Desk, account: AccountRow, address: str) -> _Who:
    """Ask consent who it is. Nobody is no fault: they may never have been heard of."""
    try:
        person = await desk.consent.find_person(
            brand_id=account.brand_id, account_id=account.id, address=address
        )
    except (ServiceUnavailable, ServiceRefused) as error:
        if not (isinstance(error, ServiceRefused) and error.status == 404):
            log.warning("message.person_not_found", error=type(error).__name__)
        return _Who()
    return _Who(person.id, person.language)


def _address(desk: Desk, account: AccountRow, given: str) -> str:
    try:
        return desk.channels[account.channel].normalise(given)
    except ValueError as error:
        raise _invalid("/address", str(error)) from error


async def _parts(
    desk: Desk, account: AccountRow, content: Content, language: str | None
) -> tuple[str | None, tuple[Part, ...]]:
    """Return the language and the calls of a content, or refuse what cannot be shown."""
    channel = desk.channels[account.channel]
    if content.story_id is None and content.media_id is None and content.button is None:
        assert content.text is not None
        choices = content.choices if isinstance(content, HouseContent) else ()
        return language, (channel.text(content.text, account.settings, choices),)
    story = await _story(desk, account.brand_id, content, language)
    media = await desk.media.facts(account.brand_id, all_media(story))
    if content.media_id is not None and content.media_id not in media:
        raise _invalid("/content/media_id", "there is no media of this id")
    by_language = render(channel, story, media, account.settings)
    chosen = choose_language(language, by_language, default=story.language)
    _refuse_errors(by_language[chosen])
    return (language if chosen == _UNWRITTEN else chosen), by_language[chosen].parts


async def _story(desk: Desk, brand_id: UUID, content: Content, language: str | None) -> StoryIn:
    if content.story_id is not None:
        try:
            return await stories.find(desk, brand_id, content.story_id)
        except NoSuchStory as error:
            raise _invalid("/content/story_id", "there is no story of this id") from error
    frame = Frame(media_id=content.media_id, text=content.text, button=content.button)
    return StoryIn.model_construct(
        title="", language=language or _UNWRITTEN, frames=(frame,), variants={}
    )


def _refuse_errors(rendering: Rendering) -> None:
    errors = [f.message for f in rendering.findings if f.level == "error"]
    if errors or not rendering.parts:
        raise Problem(
            422,
            "cannot_be_shown",
            "This channel cannot show the message.",
            errors=[{"pointer": "/content", "message": message} for message in errors],
        )


async def _ask(
    desk: Desk, brand_id: UUID, wanted: MessageIn | HouseMessage, address: str
) -> _Permission:
    """Ask consent now, so that the sender hears of a no at once; without an answer it waits.

    A reply answers what a person just wrote, and needs no consent.
    """
    if wanted.purpose == "reply":
        return _Permission()
    try:
        [answer] = await desk.consent.check(
            brand_id=brand_id,
            account_id=wanted.account_id,
            purpose=wanted.purpose,
            addresses=[address],
        )
    except (ServiceUnavailable, ServiceRefused) as error:
        log.warning("message.not_asked_for", error=type(error).__name__)
        return _Permission()
    event_id = UUID(answer.consent_event_id) if answer.consent_event_id else None
    if answer.until is not None:
        return _Permission(
            seq=answer.seq, event_id=event_id, waits_for=answer.reason, until=answer.until
        )
    return _Permission(None if answer.allowed else answer.reason, answer.seq, event_id)


def _invalid(pointer: str, message: str) -> Problem:
    errors = [{"pointer": pointer, "message": message}]
    return Problem(422, "invalid", "Some fields are wrong.", errors=errors)
