"""Stories: written once, shown as each channel would show them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.gateway import choose, examples
from services.gateway.examples import worked
from services.gateway.gate import Gate, needs
from services.gateway.house import By, Cursor, Limit, NewId, Parts
from shared.clients.dispatcher_answers import ChannelRendering, StoryPage
from shared.contracts.base import Contract
from shared.contracts.campaigns import Story, StoryChange, StoryIn

router = APIRouter(tags=["stories"], route_class=Gate)


class RenderingPage(Contract):
    """A story's renderings."""

    items: tuple[ChannelRendering, ...]
    next: str | None = None


@router.post("/v1/stories", **worked(examples.STORY, given=examples.STORY_IN, status=201))
@needs("stories:write", creates=True)
async def create_story(story: StoryIn, house: Parts, by: By, story_id: NewId) -> Story:
    """Create a story. `findings` say what a channel cannot show as written."""
    return await house.dispatcher.put_story(by.brand_id, story_id, story)


@router.get("/v1/stories", **worked(examples.page(examples.STORY)))
@needs("stories:read")
async def list_stories(house: Parts, by: By, cursor: Cursor = None, limit: Limit = 50) -> StoryPage:
    """List the brand's stories."""
    return await house.dispatcher.stories(by.brand_id, cursor=cursor, limit=limit)


@router.get("/v1/stories/{story_id}", **worked(examples.STORY))
@needs("stories:read")
async def get_story(story_id: UUID, house: Parts, by: By) -> Story:
    """Return a story."""
    return await house.dispatcher.get_story(by.brand_id, story_id)


@router.patch(
    "/v1/stories/{story_id}",
    **worked({**examples.STORY, "title": "Autunno"}, given={"title": "Autunno"}),
)
@needs("stories:write")
async def change_story(story_id: UUID, change: StoryChange, house: Parts, by: By) -> Story:
    """Change a story. Campaigns that were launched keep what they were launched with."""
    return await house.dispatcher.change_story(by.brand_id, story_id, change)


@router.delete("/v1/stories/{story_id}", **worked(status=204, meaning="The story is gone."))
@needs("stories:write")
async def delete_story(story_id: UUID, house: Parts, by: By) -> None:
    """Delete a story, unless a live campaign uses it."""
    await house.dispatcher.delete_story(by.brand_id, story_id)


@router.get("/v1/stories/{story_id}/renderings", **worked(examples.RENDERINGS))
@needs("stories:read")
async def list_renderings(
    story_id: UUID,
    house: Parts,
    by: By,
    channel: Annotated[
        str | None, Query(max_length=40, description="One channel; all when left out.")
    ] = None,
) -> RenderingPage:
    """Return the exact platform calls that the story would become, with findings."""
    if channel is not None:
        choose.known_channel(channel)
    found = await house.dispatcher.renderings(by.brand_id, story_id, channel=channel)
    return RenderingPage(items=found.items)
