"""A person's export: all that is known of them, for them."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.responses import StreamingResponse

from services.gateway import exports
from services.gateway.export_examples import PAGE, PERSON_EXPORT
from services.gateway.gate import Gate, needs
from services.gateway.house import By, Parts
from services.gateway.sheets.export import HEADERS
from shared.contracts.exports import PersonExport

router = APIRouter(tags=["people"], route_class=Gate)

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "model": PersonExport,
        "description": "The export.",
        "content": {
            "application/json": {"example": PERSON_EXPORT},
            "text/html": {"schema": {"type": "string"}, "example": PAGE},
        },
    }
}

_SHOWN: Final = {"json": "attachment", "html": "inline"}


@router.get(
    "/v1/people/{person_id}/export",
    response_class=StreamingResponse,
    response_description="The export.",
    responses=_ANSWERS,
)
@needs("people:read")
async def export_person(
    person_id: UUID,
    house: Parts,
    by: By,
    format: Annotated[
        exports.Format | None, Query(description="For programs or for reading; else as `Accept`.")
    ] = None,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> StreamingResponse:
    """Export a person: addresses, consents, the whole history with its evidence, every message.

    Hand it to a person who asks what you know of them: as JSON, or as one page for reading and
    printing (`format=html`, or `Accept: text/html`). It is written as it is read; an export that
    breaks off is not whole. 409 `already_merged` for a person who became another.
    """
    chosen = format or ("html" if _prefers_html(accept or "") else "json")
    content = await exports.pieces(house, by.brand_id, person_id, chosen)
    headers = {
        **HEADERS,
        "Cache-Control": "no-store",
        "Vary": "Accept",
        "Content-Disposition": f'{_SHOWN[chosen]}; filename="person-{person_id}.{chosen}"',
    }
    kind = "application/json" if chosen == "json" else "text/html; charset=utf-8"
    return StreamingResponse(content, headers=headers, media_type=kind)


def _prefers_html(accept: str) -> bool:
    """Say whether a caller would rather have a page: browsers would."""
    liked: dict[str, float] = {}
    for each in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in each.split(";"))
        liked[kind] = _weight(parameters)
    others = ("application/json", "application/*", "*/*")
    return liked.get("text/html", 0) > max(liked.get(kind, 0) for kind in others)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0
    return 1
