"""What a brand shows people before they say yes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Query

from services.consent import notices
from services.consent.api import examples, notice_examples
from services.consent.api.access import TheRegistry
from shared.contracts.notices import Notice, NoticeIn, Notices

router = APIRouter(prefix="/v1/brands/{brand_id}/notices", tags=["notices"])


@router.put("/{notice_id}", responses=examples.answers(notice_examples.NOTICE))
async def put_notice(
    registry: TheRegistry,
    brand_id: UUID,
    notice_id: UUID,
    notice: Annotated[NoticeIn, Body(examples=[notice_examples.NOTICE_IN])],
) -> Notice:
    """Make the next version for its purpose. A repeat of the id changes nothing."""
    return await notices.put(registry.database, brand_id, notice_id, notice)


@router.get("/{notice_id}", responses=examples.answers(notice_examples.NOTICE))
async def get_notice(registry: TheRegistry, brand_id: UUID, notice_id: UUID) -> Notice:
    """Return a notice with all its wordings."""
    return await notices.get(registry.database, brand_id, notice_id)


@router.get("", responses=examples.answers(notice_examples.NOTICES))
async def list_notices(
    registry: TheRegistry,
    brand_id: UUID,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Notices:
    """List a brand's notices, the newest first."""
    return await notices.page(registry.database, brand_id, after=after, limit=limit)
