"""A brand's own rules: how it asks for a yes, how long it is good, when and how often it writes."""

from fastapi import APIRouter

from services.gateway.examples import worked
from services.gateway.gate import Gate, needs
from services.gateway.house import By, Parts
from services.gateway.policy_examples import POLICY, POLICY_CHANGE
from shared.contracts.policy import BrandPolicy

router = APIRouter(tags=["policy"], route_class=Gate)


@router.get("/v1/policy", **worked(POLICY))
@needs("consents:read")
async def get_policy(house: Parts, by: By) -> BrandPolicy:
    """Return the rules of your brand; `null` is what your country asks for."""
    return await house.consent.get_policy(by.brand_id)


@router.patch("/v1/policy", **worked(POLICY, given=POLICY_CHANGE))
@needs("consents:write")
async def change_policy(change: BrandPolicy, house: Parts, by: By) -> BrandPolicy:
    """Change what is given and leave the rest; `null` goes back to what your country asks for.

    `expires_after_days` is replaced as a whole, and holds for what is granted from now on. A `null`
    for `refresh_days` asks nobody.
    """
    before = await house.consent.get_policy(by.brand_id)
    given = {name: getattr(change, name) for name in change.model_fields_set}
    return await house.consent.put_policy(by.brand_id, before.model_copy(update=given))
