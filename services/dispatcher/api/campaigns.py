"""Campaigns: drafts, their life, and their messages."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.dispatcher import campaigns, drafts, replaying, reports
from services.dispatcher.api.parameters import (
    MOST,
    Cursor,
    Limit,
    Page,
    TheDesk,
    page_of,
    read_cursor,
    read_id,
    wrong_cursor,
)
from services.dispatcher.launch import launch as launch_campaign
from services.dispatcher.preflight import preflight as look_ahead
from services.dispatcher.trials import try_out
from shared.contracts.campaigns import (
    Campaign,
    CampaignIn,
    CampaignItem,
    CampaignTest,
    Preflight,
    Replay,
    ReplayIn,
    Replays,
    SentTests,
)
from shared.contracts.messages import Message, MessageStatus

router = APIRouter(prefix="/v1/brands/{brand_id}/campaigns", tags=["campaigns"])


@router.put("/{campaign_id}", responses={201: {"model": Campaign, "description": "It is new."}})
async def put(
    desk: TheDesk, brand_id: UUID, campaign_id: UUID, wanted: CampaignIn, response: Response
) -> Campaign:
    """Store a draft under its id; a repeat changes nothing."""
    campaign, new = await drafts.put(desk, brand_id, campaign_id, wanted)
    response.status_code = 201 if new else 200
    return campaign


@router.get("")
async def page(
    desk: TheDesk, brand_id: UUID, cursor: Cursor = None, limit: Limit = MOST
) -> Page[CampaignItem]:
    """Return a brand's campaigns, the newest first; without the addresses they are for."""
    found = await campaigns.page(desk.database, brand_id, before=read_id(cursor), limit=limit + 1)
    return page_of(found, limit, lambda campaign: campaign.id)


@router.get("/{campaign_id}")
async def read(desk: TheDesk, brand_id: UUID, campaign_id: UUID) -> Campaign:
    """Return a campaign with its totals, which add up to `accepted` at every moment."""
    return await campaigns.read(desk.database, brand_id, campaign_id)


@router.post("/{campaign_id}/preflight")
async def preflight(desk: TheDesk, brand_id: UUID, campaign_id: UUID) -> Preflight:
    """Say what a launch would do now, without doing it."""
    return await look_ahead(desk, brand_id, campaign_id)


@router.put("/{campaign_id}/tests/{test_id}")
async def test(
    desk: TheDesk, brand_id: UUID, campaign_id: UUID, test_id: UUID, wanted: CampaignTest
) -> SentTests:
    """Send its story, as it is now, to some of the brand's own; a repeat changes nothing."""
    return await try_out(desk, brand_id, campaign_id, test_id, wanted)


@router.post("/{campaign_id}/launch")
async def launch(desk: TheDesk, brand_id: UUID, campaign_id: UUID) -> Campaign:
    """Let a draft run, now or when it is due; a repeat changes nothing."""
    await launch_campaign(desk, brand_id, campaign_id)
    return await campaigns.read(desk.database, brand_id, campaign_id)


@router.post("/{campaign_id}/pause")
async def pause(desk: TheDesk, brand_id: UUID, campaign_id: UUID) -> Campaign:
    """Let nothing more start; what flies, lands."""
    await campaigns.pause(desk.database, brand_id, campaign_id)
    return await campaigns.read(desk.database, brand_id, campaign_id)


@router.post("/{campaign_id}/resume")
async def resume(desk: TheDesk, brand_id: UUID, campaign_id: UUID) -> Campaign:
    """Go on where it was paused."""
    await campaigns.resume(desk.database, brand_id, campaign_id)
    desk.nudge_work()
    campaign = await campaigns.read(desk.database, brand_id, campaign_id)
    for account_id in campaign.account_ids:
        desk.nudge_lane(account_id)
    return campaign


@router.post("/{campaign_id}/cancel")
async def cancel(desk: TheDesk, brand_id: UUID, campaign_id: UUID) -> Campaign:
    """End it for good; what waits is cancelled."""
    await campaigns.cancel(desk.database, brand_id, campaign_id)
    desk.nudge_work()
    return await campaigns.read(desk.database, brand_id, campaign_id)


@router.put("/{campaign_id}/replays/{replay_id}")
async def replay(
    desk: TheDesk, brand_id: UUID, campaign_id: UUID, replay_id: UUID, wanted: ReplayIn
) -> Replay:
    """Try its dead letters once more; a repeat changes nothing."""
    begun = await replaying.begin(desk, brand_id, campaign_id, replay_id, wanted)
    desk.nudge_work()
    return begun


@router.get("/{campaign_id}/replays")
async def replays(desk: TheDesk, brand_id: UUID, campaign_id: UUID) -> Replays:
    """Say how far its replays are, the newest first."""
    found = await replaying.of_campaign(desk, brand_id, campaign_id)
    return Replays(items=tuple(found))


@router.get("/{campaign_id}/messages")
async def messages(
    desk: TheDesk,
    brand_id: UUID,
    campaign_id: UUID,
    status: Annotated[MessageStatus | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = MOST,
) -> Page[Message]:
    """Return a campaign's messages by account and address, with attempts and receipts."""
    await campaigns.check(desk.database, brand_id, campaign_id)
    found = await reports.page(
        desk.database,
        brand_id,
        campaign_id,
        status=status,
        after=_place(cursor),
        limit=limit + 1,
    )
    return page_of(found, limit, _key)


def _key(message: Message) -> list[UUID | str]:
    """Say where a message stands; one to an erased person stands by its own id."""
    return [message.account_id, message.address or f"erased:{message.id}"]


def _place(cursor: str | None) -> tuple[UUID, str] | None:
    match read_cursor(cursor):
        case None:
            return None
        case [str(account_id), str(address)]:
            try:
                return UUID(account_id), address
            except ValueError as error:
                raise wrong_cursor() from error
        case _:
            raise wrong_cursor()
