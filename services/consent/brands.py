"""The brands and the accounts that the registry was told of, and the rules of each brand."""

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from services.consent.tables import AccountRow, BrandRow
from shared.contracts.consent import AccountFacts, BrandFacts
from shared.contracts.policy import BrandPolicy
from shared.database import Database
from shared.problems import Problem


async def put_brand(database: Database, brand: BrandFacts) -> None:
    """Remember a brand, or what changed of it."""
    facts = {
        "name": brand.name,
        "country": brand.country,
        "languages": list(brand.languages),
        "timezone": brand.timezone,
    }
    statement = insert(BrandRow).values(brand_id=brand.id, **facts)
    statement = statement.on_conflict_do_update(index_elements=["brand_id"], set_=facts)
    async with database.begin(brand.id) as session:
        await session.execute(statement)


async def put_account(database: Database, account: AccountFacts) -> None:
    """Remember an account; raise a 409 `Problem` when it is known with another channel."""
    statement = (
        insert(AccountRow)
        .values(brand_id=account.brand_id, id=account.id, channel=account.channel)
        .on_conflict_do_nothing()
    )
    async with database.begin(account.brand_id) as session:
        await session.execute(statement)
        row = await session.get_one(AccountRow, (account.brand_id, account.id))
        if row.channel != account.channel:
            # Addresses mean something on their own channel only, and so does what was agreed there.
            raise Problem(409, "channel_fixed", "The account is on another channel.")


async def put_policy(database: Database, brand_id: UUID, policy: BrandPolicy) -> None:
    """Let other rules hold for a brand from now on; or a 404 `Problem`."""
    async with database.begin(brand_id) as session:
        row = await session.get(BrandRow, brand_id, with_for_update=True)
        if row is None:
            raise _unknown_brand()
        row.policy = policy.model_dump(mode="json", exclude_defaults=True)


async def get_policy(database: Database, brand_id: UUID) -> BrandPolicy:
    """Return a brand's rules, or a 404 `Problem`."""
    async with database.begin(brand_id) as session:
        row = await session.get(BrandRow, brand_id)
        if row is None:
            raise _unknown_brand()
        return BrandPolicy.model_validate(row.policy)


def _unknown_brand() -> Problem:
    return Problem(404, "unknown_brand", "The registry was never told of this brand.")
