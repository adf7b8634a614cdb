"""Brands: made by the operator, each with its first key."""

from datetime import datetime
from uuid import UUID
from zoneinfo import available_timezones

from fastapi import APIRouter

from services.gateway import examples, keys
from services.gateway.auth import SCOPES
from services.gateway.errors import wrong_field
from services.gateway.examples import worked
from services.gateway.gate import Gate, needs_operator
from services.gateway.house import Cursor, Limit, NewId, Parts
from services.gateway.paging import after_of, next_of
from services.gateway.queries import keys as queries
from services.gateway.tables import ApiKey, Brand
from shared import clock
from shared.contracts.accounts import BrandIn
from shared.contracts.base import Contract
from shared.contracts.consent import BrandFacts
from shared.ids import derived_id

router = APIRouter(tags=["brands"], route_class=Gate)


class BrandOut(Contract):
    """A brand."""

    id: UUID
    name: str
    country: str
    languages: tuple[str, ...]
    timezone: str
    created_at: datetime


class BrandWithKey(BrandOut):
    """A brand with its first key, which is shown this once."""

    api_key: str


class BrandPage(Contract):
    """Brands."""

    items: tuple[BrandOut, ...]
    next: str | None = None


@router.post("/v1/brands", **worked(examples.BRAND_WITH_KEY, given=examples.BRAND_IN, status=201))
@needs_operator(creates=True)
async def create_brand(brand: BrandIn, house: Parts, brand_id: NewId) -> BrandWithKey:
    """Create a brand, and its first API key with every scope. The key is shown once."""
    if brand.timezone not in available_timezones():
        raise wrong_field("/timezone", "This is no name of the IANA time zone database.")
    facts = BrandFacts(
        id=brand_id,
        name=brand.name,
        country=brand.country,
        languages=brand.languages,
        timezone=brand.timezone,
    )
    await house.consent.put_brand(facts)
    now = clock.now()
    key_id = derived_id(brand_id, "first key")
    shown, secret = keys.make(key_id)
    row = Brand(**brand.model_dump(exclude={"languages"}), id=brand_id, created_at=now)
    row.languages = list(brand.languages)
    key = ApiKey(
        id=key_id,
        brand_id=brand_id,
        name="first key",
        digest=house.door.digest(secret),
        scopes=list(SCOPES),
        created_at=now,
    )
    async with house.database.begin() as session:
        await queries.put_brand(session, row)
        await queries.put_key(session, key)
    return BrandWithKey(**_shown(row), api_key=shown)


@router.get("/v1/brands", **worked(examples.page(examples.BRAND)))
@needs_operator()
async def list_brands(house: Parts, cursor: Cursor = None, limit: Limit = 50) -> BrandPage:
    """List the brands of this house."""
    async with house.database.begin() as session:
        rows = await queries.brands(session, after=after_of(cursor), limit=limit)
    return BrandPage(
        items=tuple(BrandOut(**_shown(row)) for row in rows),
        next=next_of([row.id for row in rows], limit),
    )


def _shown(row: Brand) -> dict[str, object]:
    return {**row.model_dump(), "languages": tuple(row.languages)}
