"""Imports of people with evidence, in lots of rows."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Query

from services.consent import imports
from services.consent.api import examples
from services.consent.api.access import TheRegistry
from shared.contracts.imports import AsideRows, Import, ImportIn, ImportRows

router = APIRouter(prefix="/v1/brands/{brand_id}/imports", tags=["imports"])


@router.put("/{import_id}", responses=examples.answers(examples.IMPORT))
async def begin(
    registry: TheRegistry,
    brand_id: UUID,
    import_id: UUID,
    wanted: Annotated[ImportIn, Body(examples=[examples.IMPORT_IN])],
) -> Import:
    """Begin an import, or hear how far it is: its next row is number `rows` + 1."""
    return await imports.begin(
        registry, wanted.model_copy(update={"id": import_id, "brand_id": brand_id})
    )


@router.post("/{import_id}/rows", responses=examples.answers(examples.IMPORT))
async def add(
    registry: TheRegistry,
    brand_id: UUID,
    import_id: UUID,
    lot: Annotated[ImportRows, Body(examples=[examples.IMPORT_ROWS])],
) -> Import:
    """Import some rows in one transaction. Repeat as you like; no row may be left out."""
    return await imports.add(registry, brand_id, import_id, lot)


@router.post("/{import_id}/end", responses=examples.answers(examples.IMPORT))
async def end(registry: TheRegistry, brand_id: UUID, import_id: UUID) -> Import:
    """Say that there are no more rows."""
    return await imports.end(registry, brand_id, import_id)


@router.get("/{import_id}", responses=examples.answers(examples.IMPORT))
async def read(registry: TheRegistry, brand_id: UUID, import_id: UUID) -> Import:
    """Return how far an import is, and what became of its rows."""
    return await imports.read(registry, brand_id, import_id)


@router.get("/{import_id}/rows", responses=examples.answers(examples.IMPORT_ASIDE))
async def read_aside(
    registry: TheRegistry,
    brand_id: UUID,
    import_id: UUID,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> AsideRows:
    """Return which rows brought no consent, and why, in the order of the file."""
    return await imports.read_aside(registry, brand_id, import_id, after=after, limit=limit)
