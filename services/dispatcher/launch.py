"""Launch a campaign: freeze what will be said, and let it run, now or when it is due."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from services.dispatcher import campaigns, ending, events, stories
from services.dispatcher.campaigns import NoSuchCampaign
from services.dispatcher.desk import Desk
from services.dispatcher.queries import campaigns as queries
from services.dispatcher.queries.accounts import AccountRow, of_brand
from services.dispatcher.queries.events import ensure_days
from services.dispatcher.renderings import all_media, findings_of, render
from services.dispatcher.stories import NoSuchStory
from services.dispatcher.tally import WHILE_RUNNING
from services.dispatcher.work import DONE, later
from shared import clock
from shared.contracts.campaigns import CampaignStatus, ChannelFinding, Story
from shared.contracts.stories import Rendering
from shared.database import Database
from shared.ids import derived_id
from shared.problems import Problem

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Telling:
    """What one variant of a campaign tells (`""`: its only story), on each of its accounts."""

    variant: str
    story: Story
    renderings: dict[UUID, dict[str, Rendering]]
    """By account, then by language."""


@dataclass(frozen=True, slots=True)
class _Sendable:
    """What a campaign says, and with whose accounts."""

    tellings: list[Telling]
    accounts: dict[UUID, AccountRow]


async def launch(desk: Desk, brand_id: UUID, campaign_id: UUID) -> None:
    """Launch a draft, or schedule it. Repeat as you like."""
    row = await _read(desk.database, brand_id, campaign_id)
    status = row["status"]
    if status in (CampaignStatus.SCHEDULED, CampaignStatus.RUNNING):
        return
    if status != CampaignStatus.DRAFT:
        raise Problem(409, "wrong_status", f"A campaign that is {status} cannot be launched.")
    sendable = await _sendable(desk, brand_id, row)
    if campaigns.launch_at(row) > clock.now() + timedelta(seconds=1):
        await _schedule(desk.database, brand_id, campaign_id)
    else:
        await _start(desk, brand_id, campaign_id, sendable, CampaignStatus.DRAFT)


async def launch_scheduled(desk: Desk, brand_id: UUID, campaign_id: UUID) -> timedelta | None:
    """Launch a campaign whose hour has come; one that cannot be sent any more is paused."""
    try:
        row = await _read(desk.database, brand_id, campaign_id)
        if row["status"] != CampaignStatus.SCHEDULED:
            return DONE
        sendable = await _sendable(desk, brand_id, row)
    except NoSuchCampaign:
        return DONE
    except Problem as problem:
        await campaigns.pause(desk.database, brand_id, campaign_id, reason=problem.code)
        log.warning("campaign.not_launched", campaign=str(campaign_id), reason=problem.code)
        return DONE
    await _start(desk, brand_id, campaign_id, sendable, CampaignStatus.SCHEDULED)
    return DONE


async def tellings_of(
    desk: Desk, brand_id: UUID, row: Any
) -> tuple[list[Telling], dict[UUID, AccountRow]]:
    """Return what each variant would send now, and the campaign's accounts that are still there.

    Raises a problem when a story is gone.
    """
    async with desk.database.connection(brand_id) as connection:
        known = {each.id: each for each in await of_brand(connection, brand_id=brand_id)}
    accounts = {i: known[i] for i in row["account_ids"] if i in known}
    told = [(each["name"], UUID(each["story_id"])) for each in row["variants"]]
    tellings = [
        await telling_of(desk, brand_id, variant, story_id, accounts)
        for variant, story_id in told or [("", row["story_id"])]
    ]
    return tellings, accounts


async def telling_of(
    desk: Desk,
    brand_id: UUID,
    variant: str,
    story_id: UUID,
    accounts: Mapping[UUID, AccountRow],
) -> Telling:
    """Return what a variant would send on these accounts now, or raise a problem."""
    try:
        story = await stories.find(desk, brand_id, story_id)
    except NoSuchStory as error:
        raise Problem(409, "story_gone", "The campaign's story was deleted.") from error
    media = await desk.media.facts(brand_id, all_media(story))
    renderings = {
        i: render(desk.channels[account.channel], story, media, account.settings)
        for i, account in accounts.items()
    }
    return Telling(variant, story, renderings)


def errors_of(
    accounts: Mapping[UUID, AccountRow], tellings: Iterable[Telling]
) -> list[ChannelFinding]:
    """Return what each channel says about the stories, without saying anything twice."""
    findings = [
        finding
        for telling in tellings
        for account_id, by_language in telling.renderings.items()
        for finding in findings_of(accounts[account_id].channel, by_language)
    ]
    return list(dict.fromkeys(findings))


def refuse_errors(findings: Iterable[ChannelFinding]) -> None:
    """Raise a problem where a story cannot be shown."""
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        raise Problem(
            422,
            "cannot_be_shown",
            "The story cannot be shown on every channel; the story's findings say more.",
            errors=[
                {
                    "pointer": "/story_id" if f.frame is None else f"/story/frames/{f.frame}",
                    "message": f"{f.channel}, {f.language}: {f.message}",
                }
                for f in errors
            ],
        )


async def _sendable(desk: Desk, brand_id: UUID, row: Any) -> _Sendable:
    tellings, accounts = await tellings_of(desk, brand_id, row)
    if len(accounts) < len(row["account_ids"]):
        raise Problem(409, "account_gone", "An account of the campaign was deleted.")
    if row["deadline"] is not None and row["deadline"] <= clock.now():
        raise Problem(409, "deadline_passed", "The campaign's deadline has passed.")
    refuse_errors(errors_of(accounts, tellings))
    return _Sendable(tellings, accounts)


async def _schedule(database: Database, brand_id: UUID, campaign_id: UUID) -> None:
    async with database.connection(brand_id) as connection:
        row = await _locked_if(connection, brand_id, campaign_id, CampaignStatus.DRAFT)
        if row is None:
            return
        await queries.set_status(
            connection,
            brand_id=brand_id,
            campaign_id=campaign_id,
            status=CampaignStatus.SCHEDULED,
        )
        due_at = campaigns.launch_at(row)
        await later(connection, brand_id, "launch", campaign_id, due_at=due_at)
    log.info("campaign.scheduled", campaign=str(campaign_id), due_at=due_at.isoformat())


async def _start(
    desk: Desk,
    brand_id: UUID,
    campaign_id: UUID,
    sendable: _Sendable,
    expected: CampaignStatus,
) -> None:
    now = clock.now()
    await _have_days(desk.database, now)
    async with desk.database.connection(brand_id) as connection:
        row = await _locked_if(connection, brand_id, campaign_id, expected)
        if row is None:
            return
        await _freeze(connection, brand_id, campaign_id, sendable.tellings)
        await queries.start(
            connection,
            brand_id=brand_id,
            campaign_id=campaign_id,
            day=now.astimezone(UTC).date(),
            at=now,
        )
        told = campaigns.event("campaign.launched", row, id=derived_id(campaign_id, "launched"))
        await events.record(connection, brand_id, [told])
        await later(connection, brand_id, "expand", campaign_id)
        await later(connection, brand_id, "tally", brand_id, due_at=now + WHILE_RUNNING)
        await ending.plan(
            connection,
            brand_id,
            campaign_id,
            launched_at=now,
            expires_after=_expires_after(sendable.tellings),
        )
    _warm(desk, brand_id, sendable)
    desk.nudge_work()
    log.info("campaign.launched", campaign=str(campaign_id), variants=len(sendable.tellings))


def _expires_after(tellings: Iterable[Telling]) -> int | None:
    """Return when a campaign's story ends: with its longest variant; never, if one never does."""
    seconds = [telling.story.expires_after for telling in tellings]
    known = [each for each in seconds if each is not None]
    return max(known) if known and len(known) == len(seconds) else None


def _warm(desk: Desk, brand_id: UUID, sendable: _Sendable) -> None:
    """Let the pictures be made to fit while the first page of the audience is looked at."""
    for telling in sendable.tellings:
        for account_id, by_language in telling.renderings.items():
            limits = desk.channels[sendable.accounts[account_id].channel].capabilities.pictures
            parts = [part for rendering in by_language.values() for part in rendering.parts]
            if limits is not None:
                desk.media.warm(brand_id, {each for part in parts for each in part.media}, limits)


async def _freeze(
    connection: asyncpg.Connection,
    brand_id: UUID,
    campaign_id: UUID,
    tellings: Iterable[Telling],
) -> None:
    for telling in tellings:
        for account_id, by_language in telling.renderings.items():
            await queries.freeze_rendering(
                connection,
                brand_id=brand_id,
                campaign_id=campaign_id,
                account_id=account_id,
                variant=telling.variant,
                story_id=telling.story.id,
                parts={
                    language: [part.model_dump(mode="json") for part in rendering.parts]
                    for language, rendering in by_language.items()
                },
            )


async def _have_days(database: Database, now: datetime) -> None:
    """Make today's and tomorrow's partitions, in a transaction of their own: it takes locks."""
    today = now.astimezone(UTC).date()
    async with database.connection() as connection:
        await ensure_days(connection, today, today + timedelta(days=1))


async def _read(database: Database, brand_id: UUID, campaign_id: UUID) -> asyncpg.Record:
    async with database.connection(brand_id) as connection:
        row = await queries.find_plain(connection, brand_id=brand_id, campaign_id=campaign_id)
    if row is None:
        raise NoSuchCampaign(str(campaign_id))
    return row


async def _locked_if(
    connection: asyncpg.Connection, brand_id: UUID, campaign_id: UUID, expected: CampaignStatus
) -> asyncpg.Record | None:
    """Return the campaign locked, or None when somebody else changed its status meanwhile."""
    row = await queries.lock(connection, brand_id=brand_id, campaign_id=campaign_id)
    return row if row is not None and row["status"] == expected else None
