"""Notices: what people are shown before they say yes, in versions that never change."""

from uuid import UUID

from fastapi import APIRouter

from services.gateway.examples import page, worked
from services.gateway.gate import Gate, needs
from services.gateway.house import PAGE, By, Cursor, Limit, NewId, Parts
from services.gateway.notice_examples import NOTICE, NOTICE_IN
from services.gateway.paging import after_of
from shared.contracts.notices import Notice, NoticeIn, Notices

router = APIRouter(tags=["notices"], route_class=Gate)


@router.post("/v1/notices", **worked(NOTICE, given=NOTICE_IN, status=201))
@needs("consents:write", creates=True)
async def create_notice(notice: NoticeIn, house: Parts, by: By, notice_id: NewId) -> Notice:
    """Make a new version of what people are asked. It is shown from now on; old ones stay.

    Each wording names you (`{brand}`) and says how to end it (STOP). Where you made none, people
    are shown the house's own words. A question that waits for an answer to an older version is
    asked once more.
    """
    return await house.consent.put_notice(by.brand_id, notice_id, notice)


@router.get("/v1/notices", **worked(page(NOTICE)))
@needs("consents:read")
async def list_notices(house: Parts, by: By, cursor: Cursor = None, limit: Limit = PAGE) -> Notices:
    """List your notices, the newest first."""
    return await house.consent.notices(by.brand_id, after=after_of(cursor), limit=limit)


@router.get("/v1/notices/{notice_id}", **worked(NOTICE))
@needs("consents:read")
async def get_notice(notice_id: UUID, house: Parts, by: By) -> Notice:
    """Return one version with all its wordings, as the evidence of consents names it."""
    return await house.consent.get_notice(by.brand_id, notice_id)
