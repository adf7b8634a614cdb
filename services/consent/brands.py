"""The brands and the accounts that the registry was told of."""

from sqlalchemy.dialects.postgresql import insert

from services.consent.tables import AccountRow, BrandRow
from shared.contracts.consent import AccountFacts, BrandFacts
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
