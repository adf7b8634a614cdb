"""Keep the tally of a brand's campaigns short, so that reading one takes no time.

Every statement that changes messages appends what it changed in their counts (triggers, see the
migration `0005_campaign_life`). A count is the sum of these rows, exact at every moment; here many
of them become one.
"""

from datetime import timedelta
from uuid import UUID

from services.dispatcher.queries import tally
from services.dispatcher.work import DONE
from shared import clock
from shared.database import Database

SHORT = 500
"""Rows of a campaign that are read in no time; more are added up. Ten variants have 300 sums."""
WHILE_RUNNING = timedelta(seconds=5)
"""Between two looks while a campaign of the brand runs: at 4,000 messages a second about a
thousand rows."""
AFTERWARDS = timedelta(minutes=10)
"""While none does: receipts go on coming."""
OVER = timedelta(days=40)
"""After the last launch: then no receipt finds its message any more."""


async def add_up(database: Database, brand_id: UUID) -> timedelta | None:
    """Add up what has become long of a brand; say when to look again."""
    async with database.connection(brand_id) as connection:
        found = await tally.long_ones(connection, brand_id=brand_id, more_than=SHORT)
        running, launched_at = await tally.last_launch(connection, brand_id=brand_id)
    for campaign_id in found:
        async with database.connection(brand_id) as connection:
            await tally.add_up(connection, brand_id=brand_id, campaign_id=campaign_id)
    if running or found:
        return WHILE_RUNNING
    over = launched_at is None or launched_at < clock.now() - OVER
    return DONE if over else AFTERWARDS
