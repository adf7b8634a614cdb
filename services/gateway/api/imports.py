"""Imports: a file of people whom a brand knows, each with the evidence of their yes."""

from collections.abc import AsyncIterator
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.requests import ClientDisconnect, Request

from services.gateway import choose
from services.gateway import import_examples as examples
from services.gateway.errors import wrong_field
from services.gateway.examples import worked
from services.gateway.gate import Gate, needs
from services.gateway.house import By, House, Limit, Parts
from services.gateway.people_file import KINDS, reader_for, rows_of
from shared.contracts.base import Contract
from shared.contracts.consent import Purpose
from shared.contracts.imports import MOST_AT_ONCE, AsideRow, Import, ImportIn, ImportRow, ImportRows
from shared.ids import derived_id, new_id
from shared.problems import Problem

router = APIRouter(tags=["consents"], route_class=Gate)

MOST_ROWS: Final = 1_000_000
_LOT_BYTES: Final = 512 * 1024
_FILE: Final = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}, "example": example}
            for kind, example in zip(
                KINDS[:2], (examples.IMPORT_FILE, examples.IMPORT_LINES), strict=True
            )
        },
    }
}


class AsidePage(Contract):
    """Rows that brought no consent."""

    items: tuple[AsideRow, ...]
    next: str | None = None


@router.post("/v1/consents/imports", **worked(examples.IMPORT, status=201), openapi_extra=_FILE)
@needs("consents:write")
async def import_consents(
    request: Request,
    house: Parts,
    by: By,
    channel: Annotated[str | None, Query(examples=["telegram"])] = None,
    account_id: Annotated[UUID | None, Query()] = None,
    purpose: Annotated[Purpose, Query(examples=["marketing"])] = "marketing",
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="Any text of yours that names this file. Sent again with it, a file that "
            "broke off goes on where it was, and one that is done changes nothing.",
        ),
    ] = None,
) -> Import:
    """Import people with the evidence of their yes, at most a million rows of CSV or NDJSON.

    A row needs `source` (how the person agreed) and `wording` (to what); a date alone proves
    nothing. Rows without are quarantined: nothing of them is kept but their number and the reason.
    Whoever said no, or whose yes has run out, stays as they are. The file is read as it comes.
    """
    account = await choose.account(
        house.database, by.brand_id, account_id=account_id, channel=channel
    )
    reader = reader_for(
        request.headers.get("content-type"), choose.known_channel(account.channel).normalise
    )
    import_id = (
        derived_id(by.brand_id, f"import/{idempotency_key}") if idempotency_key else new_id()
    )
    begun = await house.consent.begin_import(
        ImportIn(id=import_id, brand_id=by.brand_id, account_id=account.id, purpose=purpose)
    )
    try:
        rows = rows_of(request.stream(), reader)
        await _import_all(house, by.brand_id, import_id, rows, done=begun.rows)
    except ClientDisconnect as error:
        raise Problem(400, "broken_off", "The file was not sent to its end.") from error
    return await house.consent.end_import(by.brand_id, import_id)


@router.get("/v1/consents/imports/{import_id}", **worked(examples.IMPORT))
@needs("consents:read")
async def get_import(import_id: UUID, house: Parts, by: By) -> Import:
    """Return how far an import is, and what became of its rows."""
    return await house.consent.get_import(by.brand_id, import_id)


@router.get("/v1/consents/imports/{import_id}/rows", **worked(examples.IMPORT_ASIDE))
@needs("consents:read")
async def list_import_rows(
    import_id: UUID,
    house: Parts,
    by: By,
    cursor: Annotated[str | None, Query(max_length=20, examples=[None])] = None,
    limit: Limit = 50,
) -> AsidePage:
    """List the rows that brought no consent, by their number in the file, and why."""
    page = await house.consent.import_aside(
        by.brand_id, import_id, after=_after(cursor), limit=limit
    )
    return AsidePage(items=page.items, next=None if page.next is None else str(page.next))


async def _import_all(
    house: House, brand_id: UUID, import_id: UUID, rows: AsyncIterator[ImportRow], *, done: int
) -> None:
    """Hand the rows on in lots; those that were imported before the file broke off are skipped."""
    number, size = 0, 0
    lot: list[ImportRow] = []

    async def hand_on() -> None:
        nonlocal size
        some = ImportRows(first=number - len(lot) + 1, rows=tuple(lot))
        await house.consent.import_rows(brand_id, import_id, some)
        lot.clear()
        size = 0

    async for row in rows:
        number += 1
        if number > MOST_ROWS:
            raise Problem(413, "too_many_rows", f"A file has at most {MOST_ROWS} rows.")
        if number <= done:
            continue
        lot.append(row)
        size += len(row.model_dump_json())
        if len(lot) == MOST_AT_ONCE or size > _LOT_BYTES:
            await hand_on()
    if lot:
        await hand_on()


def _after(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit()) or int(cursor) >= 2**31:
        raise wrong_field("/query/cursor", "This is not a `next` of ours.")
    return int(cursor)
