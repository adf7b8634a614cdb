"""Stories: written once by a brand, kept with what each channel has to say about them."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.dispatcher.desk import Desk
from services.dispatcher.renderings import missing_media, preview
from services.dispatcher.tables import CampaignRow, StoryRow
from shared import clock
from shared.contracts.campaigns import Story, StoryChange, StoryIn
from shared.problems import Problem


class NoSuchStory(Exception):
    """This brand has no story of this id, or it was deleted."""


async def put(desk: Desk, brand_id: UUID, story_id: UUID, wanted: StoryIn) -> tuple[Story, bool]:
    """Store a story under its id; return it, and whether it is new. A repeat changes nothing."""
    await _check(desk, brand_id, wanted)
    async with desk.database.begin(brand_id) as session:
        new = await session.scalar(
            insert(StoryRow)
            .values(brand_id=brand_id, id=story_id, **_columns(wanted))
            .on_conflict_do_nothing()
            .returning(col(StoryRow.id))
        )
        row = await _row(session, brand_id, story_id)
    return await _with_findings(desk, row), new is not None


async def find(desk: Desk, brand_id: UUID, story_id: UUID) -> Story:
    """Return a story as the brand wrote it, without findings, or raise `NoSuchStory`."""
    async with desk.database.begin(brand_id) as session:
        return _story(await _row(session, brand_id, story_id))


async def read(desk: Desk, brand_id: UUID, story_id: UUID) -> Story:
    """Return a story with its findings, or raise `NoSuchStory`."""
    async with desk.database.begin(brand_id) as session:
        row = await _row(session, brand_id, story_id)
    return await _with_findings(desk, row)


async def page(desk: Desk, brand_id: UUID, *, before: UUID | None, limit: int) -> list[Story]:
    """Return stories from the newest to the oldest, without findings."""
    statement = (
        select(StoryRow)
        .where(col(StoryRow.brand_id) == brand_id, col(StoryRow.deleted_at).is_(None))
        .order_by(col(StoryRow.id).desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(col(StoryRow.id) < before)
    async with desk.database.begin(brand_id) as session:
        return [_story(row) for row in await session.scalars(statement)]


async def change(desk: Desk, brand_id: UUID, story_id: UUID, wanted: StoryChange) -> Story:
    """Change what is named. Campaigns that were launched keep the story as it was."""
    async with desk.database.begin(brand_id) as session:
        now = _story(await _row(session, brand_id, story_id))
    given = {name: getattr(wanted, name) for name in wanted.model_fields_set}
    cleared = {name for name, value in given.items() if value is None} - {"expires_after"}
    changed = StoryIn.model_validate(
        {name: getattr(now, name) for name in StoryIn.model_fields}
        | {name: value for name, value in given.items() if name not in cleared}
    )
    await _check(desk, brand_id, changed)
    async with desk.database.begin(brand_id) as session:
        # Of two changes at once the second one would silently undo the first.
        row = await session.scalar(
            update(StoryRow)
            .where(
                col(StoryRow.brand_id) == brand_id,
                col(StoryRow.id) == story_id,
                col(StoryRow.version) == now.version,
            )
            .values(version=now.version + 1, updated_at=func.now(), **_columns(changed))
            .returning(StoryRow)
        )
    if row is None:
        raise Problem(409, "changed_meanwhile", "Somebody else changed the story; read it again.")
    return await _with_findings(desk, row)


async def delete(desk: Desk, brand_id: UUID, story_id: UUID) -> None:
    """Delete a story that no campaign waits for. Repeat as you like."""
    live = (
        select(col(CampaignRow.id))
        .where(
            col(CampaignRow.brand_id) == brand_id,
            or_(
                col(CampaignRow.story_id) == story_id,
                col(CampaignRow.variants).contains([{"story_id": str(story_id)}]),
            ),
            col(CampaignRow.status).in_(("scheduled", "running", "paused")),
        )
        .limit(1)
    )
    async with desk.database.begin(brand_id) as session:
        statement = (
            select(StoryRow)
            .where(col(StoryRow.brand_id) == brand_id, col(StoryRow.id) == story_id)
            .with_for_update()
        )
        row = await session.scalar(statement)
        if row is None:
            raise NoSuchStory(str(story_id))
        if await session.scalar(live) is not None:
            raise Problem(409, "story_in_use", "A campaign with this story is on its way.")
        row.deleted_at = row.deleted_at or clock.now()


async def _check(desk: Desk, brand_id: UUID, story: StoryIn) -> None:
    if errors := await missing_media(desk, brand_id, story):
        raise Problem(422, "invalid", "Some fields are wrong.", errors=errors)


async def _row(session: AsyncSession, brand_id: UUID, story_id: UUID) -> StoryRow:
    row = await session.get(StoryRow, (brand_id, story_id))
    if row is None or row.deleted_at is not None:
        raise NoSuchStory(str(story_id))
    return row


def _columns(story: StoryIn) -> dict[str, Any]:
    return {
        "title": story.title,
        "language": story.language,
        "frames": [frame.model_dump(mode="json") for frame in story.frames],
        "variants": {
            language: variant.model_dump(mode="json")
            for language, variant in story.variants.items()
        },
        "expires_after": story.expires_after,
    }


def _story(row: StoryRow) -> Story:
    fields = {name: getattr(row, name) for name in Story.model_fields if name != "findings"}
    return Story.model_validate(fields)


async def _with_findings(desk: Desk, row: StoryRow) -> Story:
    story = _story(row)
    previews = await preview(desk, row.brand_id, story)
    findings = tuple(finding for each in previews for finding in each.findings)
    return story.model_copy(update={"findings": findings})
