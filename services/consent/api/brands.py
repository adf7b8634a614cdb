"""What the gateway tells the registry about brands and their accounts."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body

from services.consent import brands
from services.consent.api import examples
from services.consent.api.access import TheRegistry
from services.consent.texts import refuse_nul
from shared.contracts.consent import AccountFacts, BrandFacts
from shared.contracts.policy import BrandPolicy
from shared.problems import Problem

router = APIRouter(tags=["brands"])


@router.put("/v1/brands/{brand_id}", responses=examples.answers(examples.BRAND))
async def put_brand(
    registry: TheRegistry,
    brand_id: UUID,
    brand: Annotated[BrandFacts, Body(examples=[examples.BRAND])],
) -> BrandFacts:
    """Remember a brand, or what changed of it."""
    _same(brand_id, brand.id)
    refuse_nul({"/name": brand.name, "/country": brand.country, "/timezone": brand.timezone})
    refuse_nul({f"/languages/{n}": language for n, language in enumerate(brand.languages)})
    await brands.put_brand(registry.database, brand)
    return brand


@router.get("/v1/brands/{brand_id}/policy", responses=examples.answers(examples.POLICY))
async def get_policy(registry: TheRegistry, brand_id: UUID) -> BrandPolicy:
    """Return the brand's own rules."""
    return await brands.get_policy(registry.database, brand_id)


@router.put("/v1/brands/{brand_id}/policy", responses=examples.answers(examples.POLICY))
async def put_policy(
    registry: TheRegistry,
    brand_id: UUID,
    policy: Annotated[BrandPolicy, Body(examples=[examples.POLICY])],
) -> BrandPolicy:
    """Let other rules hold from now on."""
    await brands.put_policy(registry.database, brand_id, policy)
    return policy


@router.put("/v1/accounts/{account_id}", responses=examples.answers(examples.ACCOUNT))
async def put_account(
    registry: TheRegistry,
    account_id: UUID,
    account: Annotated[AccountFacts, Body(examples=[examples.ACCOUNT])],
) -> AccountFacts:
    """Remember an account. Its channel never changes: 409 `channel_fixed`."""
    _same(account_id, account.id)
    refuse_nul({"/channel": account.channel})
    await brands.put_account(registry.database, account)
    return account


def _same(in_path: UUID, in_body: UUID) -> None:
    if in_path != in_body:
        wrong = {"pointer": "/id", "message": "It differs from the id in the path."}
        raise Problem(422, "invalid", "Some fields are wrong.", errors=[wrong])
