"""Campaigns: a story on its way to an audience, from draft to the last message."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.gateway import campaign_examples as told
from services.gateway import examples
from services.gateway.examples import worked
from services.gateway.gate import Gate, needs
from services.gateway.house import By, Cursor, Limit, NewId, Parts
from shared.clients.dispatcher_answers import CampaignPage, MessagePage
from shared.contracts.campaigns import (
    Campaign,
    CampaignIn,
    CampaignTest,
    Preflight,
    Replay,
    ReplayIn,
    Replays,
    SentTests,
)
from shared.contracts.messages import MessageStatus

router = APIRouter(tags=["campaigns"], route_class=Gate)


@router.post("/v1/campaigns", **worked(told.CAMPAIGN, given=told.CAMPAIGN_IN, status=201))
@needs("campaigns:write", creates=True)
async def create_campaign(
    campaign: CampaignIn, house: Parts, by: By, campaign_id: NewId
) -> Campaign:
    """Create a campaign as a draft. Nothing is sent before it is launched."""
    return await house.dispatcher.put_campaign(by.brand_id, campaign_id, campaign)


@router.get("/v1/campaigns", **worked(examples.page(told.CAMPAIGN_ITEM)))
@needs("campaigns:read")
async def list_campaigns(
    house: Parts, by: By, cursor: Cursor = None, limit: Limit = 50
) -> CampaignPage:
    """List the brand's campaigns, without the addresses that they were made for."""
    return await house.dispatcher.campaigns(by.brand_id, cursor=cursor, limit=limit)


@router.get("/v1/campaigns/{campaign_id}", **worked(told.RUNNING))
@needs("campaigns:read")
async def get_campaign(campaign_id: UUID, house: Parts, by: By) -> Campaign:
    """Return a campaign. Its totals count each message once and add up to `accepted`.

    `ending` says what became of the messages once the story was over (`expires_after` seconds after
    each): `deleted`, `replaced` by a line that says so, or `kept`, by reason; with `ended_at` it is
    over for everybody, and the event `campaign.ended` tells.
    """
    return await house.dispatcher.get_campaign(by.brand_id, campaign_id)


@router.post("/v1/campaigns/{campaign_id}/preflight", **worked(told.PREFLIGHT))
@needs("campaigns:read")
async def preflight_campaign(campaign_id: UUID, house: Parts, by: By) -> Preflight:
    """Say whom a launch would reach now, whom not and why, and when it would end."""
    return await house.dispatcher.preflight(by.brand_id, campaign_id)


@router.post(
    "/v1/campaigns/{campaign_id}/test",
    **worked(told.TEST_SENDS, given=told.CAMPAIGN_TEST, status=201),
)
@needs("campaigns:write", creates=True)
async def test_campaign(
    campaign_id: UUID, test: CampaignTest, house: Parts, by: By, test_id: NewId
) -> SentTests:
    """Send a campaign's story, as it is now, to some of the brand's own people.

    They must have consented like anyone, and count against caps like anyone; the campaign counts
    none of it.
    """
    return await house.dispatcher.test_campaign(by.brand_id, campaign_id, test_id, test)


@router.post("/v1/campaigns/{campaign_id}/launch", **worked(told.RUNNING))
@needs("campaigns:write", creates=True)
async def launch_campaign(campaign_id: UUID, house: Parts, by: By) -> Campaign:
    """Launch a campaign: at once, or at its `send_at`."""
    return await house.dispatcher.step_campaign(by.brand_id, campaign_id, "launch")


@router.post("/v1/campaigns/{campaign_id}/pause", **worked({**told.RUNNING, "status": "paused"}))
@needs("campaigns:write", creates=True)
async def pause_campaign(campaign_id: UUID, house: Parts, by: By) -> Campaign:
    """Let nothing more of a campaign start; what waits goes on waiting."""
    return await house.dispatcher.step_campaign(by.brand_id, campaign_id, "pause")


@router.post("/v1/campaigns/{campaign_id}/resume", **worked(told.RUNNING))
@needs("campaigns:write", creates=True)
async def resume_campaign(campaign_id: UUID, house: Parts, by: By) -> Campaign:
    """Let a paused campaign go on."""
    return await house.dispatcher.step_campaign(by.brand_id, campaign_id, "resume")


@router.post(
    "/v1/campaigns/{campaign_id}/cancel", **worked({**told.RUNNING, "status": "cancelled"})
)
@needs("campaigns:write", creates=True)
async def cancel_campaign(campaign_id: UUID, house: Parts, by: By) -> Campaign:
    """End a campaign: what waits is cancelled, what was sent stays sent."""
    return await house.dispatcher.step_campaign(by.brand_id, campaign_id, "cancel")


@router.post(
    "/v1/campaigns/{campaign_id}/replay",
    **worked(told.REPLAY, given=told.REPLAY_IN, status=201),
)
@needs("campaigns:write", creates=True)
async def replay_campaign(
    campaign_id: UUID, replay: ReplayIn, house: Parts, by: By, replay_id: NewId
) -> Replay:
    """Try dead letters once more: what a platform refused, or what was withheld.

    Only what was surely not taken, so nobody gets anything twice. Everybody is asked about again:
    who said no meanwhile gets nothing. A finished campaign runs again until they are done.
    """
    return await house.dispatcher.replay_campaign(by.brand_id, campaign_id, replay_id, replay)


@router.get("/v1/campaigns/{campaign_id}/replays", **worked({"items": [told.REPLAY]}))
@needs("campaigns:read")
async def list_campaign_replays(campaign_id: UUID, house: Parts, by: By) -> Replays:
    """Say how far a campaign's last fifty replays are, the newest first."""
    return await house.dispatcher.replays(by.brand_id, campaign_id)


@router.get("/v1/campaigns/{campaign_id}/messages", **worked(examples.page(examples.MESSAGE)))
@needs("messages:read")
async def list_campaign_messages(
    campaign_id: UUID,
    house: Parts,
    by: By,
    status: Annotated[MessageStatus | None, Query(description="Only these.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> MessagePage:
    """List a campaign's messages with their attempts and receipts."""
    return await house.dispatcher.campaign_messages(
        by.brand_id,
        campaign_id,
        status=None if status is None else status.value,
        cursor=cursor,
        limit=limit,
    )
