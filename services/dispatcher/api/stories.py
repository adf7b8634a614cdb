"""Stories."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.dispatcher import stories
from services.dispatcher.account_setup import channel_named
from services.dispatcher.api.parameters import (
    MOST,
    Cursor,
    Items,
    Limit,
    Page,
    TheDesk,
    page_of,
    read_id,
)
from services.dispatcher.renderings import LanguageRendering, preview
from shared.contracts.campaigns import Story, StoryChange, StoryIn

router = APIRouter(prefix="/v1/brands/{brand_id}/stories", tags=["stories"])


@router.put("/{story_id}", responses={201: {"model": Story, "description": "It is new."}})
async def put(
    desk: TheDesk, brand_id: UUID, story_id: UUID, wanted: StoryIn, response: Response
) -> Story:
    """Store a story under its id; a repeat changes nothing."""
    story, new = await stories.put(desk, brand_id, story_id, wanted)
    response.status_code = 201 if new else 200
    return story


@router.get("")
async def page(
    desk: TheDesk, brand_id: UUID, cursor: Cursor = None, limit: Limit = MOST
) -> Page[Story]:
    """Return a brand's stories, the newest first, without findings."""
    found = await stories.page(desk, brand_id, before=read_id(cursor), limit=limit + 1)
    return page_of(found, limit, lambda story: story.id)


@router.get("/{story_id}")
async def read(desk: TheDesk, brand_id: UUID, story_id: UUID) -> Story:
    """Return a story, with what each channel would leave out of it."""
    return await stories.read(desk, brand_id, story_id)


@router.patch("/{story_id}")
async def change(desk: TheDesk, brand_id: UUID, story_id: UUID, wanted: StoryChange) -> Story:
    """Change what is named; campaigns that were launched keep the story as it was."""
    return await stories.change(desk, brand_id, story_id, wanted)


@router.delete("/{story_id}", status_code=204)
async def delete(desk: TheDesk, brand_id: UUID, story_id: UUID) -> Response:
    """Delete a story that no scheduled, running or paused campaign uses."""
    await stories.delete(desk, brand_id, story_id)
    return Response(status_code=204)


@router.get("/{story_id}/renderings")
async def renderings(
    desk: TheDesk,
    brand_id: UUID,
    story_id: UUID,
    channel: Annotated[str | None, Query(max_length=64)] = None,
) -> Items[LanguageRendering]:
    """Return the exact platform calls of a story, in every language, on one channel or on all."""
    if channel is not None:
        channel_named(desk, channel, at="/query/channel")
    story = await stories.find(desk, brand_id, story_id)
    return Items(items=await preview(desk, brand_id, story, only=channel))
