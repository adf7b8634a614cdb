"""Forget a person: what was sent, and what happened, stays as numbers, states and times.

Messages keep their place in the totals. Their address, their words and their language go, and of
the events about the person only what tells no person stays. A callback that still waits carries
what is left.
"""

import structlog

from services.dispatcher.queries import forgetting as queries
from shared import failpoints
from shared.contracts.forgetting import Forget, Forgotten
from shared.database import Database

log = structlog.get_logger()


async def forget(database: Database, order: Forget) -> Forgotten:
    """Forget a person; a repeat forgets what has come since.

    What is in flight is left as it is, and `settled` says so: ask again once it has landed.
    """
    places = [(each.account_id, each.address) for each in order.places]
    async with database.connection(order.brand_id) as connection:
        messages, settled = await queries.messages(
            connection, brand_id=order.brand_id, person_id=order.person_id, places=places
        )
        events = await queries.events(
            connection, brand_id=order.brand_id, person_id=order.person_id, messages=messages
        )
        addresses = sorted({address for _, address in places})
        await queries.audiences(connection, brand_id=order.brand_id, addresses=addresses)
        await failpoints.reach("dispatcher.forgetting_written")
    await failpoints.reach("dispatcher.forgetting_committed")
    log.info("person.forgotten", brand=str(order.brand_id), messages=len(messages), events=events)
    return Forgotten(messages=len(messages), events=events, settled=settled)
