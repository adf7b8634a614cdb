"""Media: pictures and videos."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request
from starlette.responses import StreamingResponse

from services.dispatcher import media
from services.dispatcher.api.parameters import TheDesk
from shared.contracts.campaigns import Media

router = APIRouter(prefix="/v1/brands/{brand_id}/media", tags=["media"])


@router.post(
    "",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def take_in(
    desk: TheDesk,
    brand_id: UUID,
    request: Request,
    x_file_name: Annotated[str | None, Header(max_length=1_000)] = None,
) -> Media:
    """Store the body: a JPEG, PNG, WebP, GIF or MP4 of at most 60 MiB. Equal bytes, equal id."""
    data, claimed = await request.body(), request.headers.get("content-type", "")
    return await media.take_in(desk.media, brand_id, data, name=x_file_name, claimed=claimed)


@router.get("/{media_id}")
async def read(desk: TheDesk, brand_id: UUID, media_id: UUID) -> Media:
    """Return what is known of a picture or a video."""
    return await desk.media.find(brand_id, media_id)


@router.get(
    "/{media_id}/content",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
async def content(desk: TheDesk, brand_id: UUID, media_id: UUID) -> StreamingResponse:
    """Return the bytes."""
    mime, name, size, pieces = await desk.media.stream(brand_id, media_id)
    return StreamingResponse(
        pieces,
        media_type=mime,
        headers={
            "content-length": str(size),
            "content-disposition": f'inline; filename="{name.encode("ascii", "ignore").decode()}"',
            "x-content-type-options": "nosniff",
            "cache-control": "private, max-age=31536000, immutable",
        },
    )
