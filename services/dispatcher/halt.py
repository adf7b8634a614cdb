"""Stop everything for some people, and know when it has stopped.

Why nothing slips through once `halt` has returned settled: consent forgot the permission *before*
this was called. What was in flight at our look is waited for. What was claimed before it is
cancelled, or was intended before it and so was in flight. What is claimed after it asks consent
after the revocation, and is refused.
"""

import asyncio

from services.dispatcher.queries import halts
from shared import clock
from shared.contracts.halts import Halt, Halted
from shared.database import Database

LOOK_AGAIN = 0.015
"""Seconds between two looks at what is in flight."""


async def halt(database: Database, order: Halt) -> Halted:
    """Cancel what waits, wait for what flies; give up waiting after `order.wait_seconds`."""
    until = clock.ticks() + order.wait_seconds
    keys = [(t.account_id, t.address, p) for t in order.targets for p in t.purposes]
    if not keys:
        return Halted(cancelled=0, settled=True)
    async with database.connection(order.brand_id) as connection:
        cancelled = await halts.cancel(
            connection, brand_id=order.brand_id, keys=keys, seq=order.seq
        )
        flights = await halts.in_flight(connection, brand_id=order.brand_id, keys=keys)
    settled = not flights or await _wait(database, order, flights, until)
    if flights:
        # A part that was taken, or a try that was not, may have come back to the queue.
        async with database.connection(order.brand_id) as connection:
            cancelled += await halts.cancel(
                connection, brand_id=order.brand_id, keys=keys, seq=order.seq
            )
    return Halted(cancelled=cancelled, settled=settled)


async def _wait(database: Database, order: Halt, flights: list[halts.Flight], until: float) -> bool:
    while clock.ticks() < until:
        await asyncio.sleep(LOOK_AGAIN)
        async with database.connection(order.brand_id) as connection:
            if not await halts.still_in_flight(
                connection, brand_id=order.brand_id, flights=flights
            ):
                return True
    return False
