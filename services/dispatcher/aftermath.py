"""What follows from an outcome beyond its message: listed as work, so a crash forgets nothing."""

import structlog

from services.dispatcher import campaigns
from services.dispatcher.work import Item
from shared import clock
from shared.clients.consent import ConsentClient
from shared.contracts.consent import ConsentEventIn, Evidence, Scope
from shared.database import Database
from shared.ids import derived_id

log = structlog.get_logger()


async def opted_out(database: Database, consent: ConsentClient, item: Item) -> None:
    """Tell consent that a person said no to the platform, as the refusal of a message showed.

    The event's id follows from the message's, so a repeat changes nothing.
    """
    brand_id, message_id = item.brand_id, item.subject_id
    async with database.connection(brand_id) as connection:
        row = await connection.fetchrow(
            "SELECT account_id, address, reason FROM dispatcher.message"
            " WHERE brand_id = $1 AND id = $2 AND address <> 'erased:' || id",
            brand_id,
            message_id,
        )
    if row is None:
        return
    await consent.record(
        ConsentEventIn(
            id=derived_id(message_id, "opted_out"),
            brand_id=brand_id,
            action="block",
            account_id=row["account_id"],
            address=row["address"],
            scope=Scope.ACCOUNT,
            evidence=Evidence(source="platform.refusal", rule=row["reason"], at=clock.now()),
        )
    )


async def bad_content(database: Database, item: Item) -> None:
    """Pause a campaign whose story the platform will take from nobody."""
    await campaigns.pause(database, item.brand_id, item.subject_id, reason="bad_content")
    log.warning("campaign.paused", campaign=str(item.subject_id), reason="bad_content")
