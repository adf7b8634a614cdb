"""What a takeover does to the slips that an owner before left in its hand."""

from uuid import UUID

import asyncpg

from services.dispatcher.queries.slips import LONGEST_FLIGHT

# First the slips, by their ids, so that whoever writes an intent under the old epoch comes before
# this or too late. What was in flight of this epoch's own is only unknown when it has been in
# flight for longer than anything can be.
_TAKE = """
WITH held AS MATERIALIZED (
    SELECT id, epoch FROM dispatcher.slip WHERE brand_id = $1 AND account_id = $2 AND epoch > 0
        AND epoch <= $3 ORDER BY id FOR UPDATE)
UPDATE dispatcher.slip s SET epoch = 0 FROM held WHERE s.brand_id = $1 AND s.id = held.id
RETURNING s.id, held.epoch < $3 AS lost
"""
_RECOVER = """
UPDATE dispatcher.message m
SET status = CASE WHEN $3 THEN 'queued' WHEN m.part > 0 THEN 'partial' ELSE 'unknown' END,
    reason = 'owner_lost', updated_at = now()
FROM dispatcher.slip s CROSS JOIN LATERAL unnest(s.messages) AS u(id)
WHERE s.brand_id = $1 AND s.id = ANY ($2) AND m.brand_id = $1 AND m.day = s.day AND m.id = u.id
  AND m.slip_id = s.id AND m.status = 'sending'
  AND (s.id = ANY ($4) OR m.updated_at < now() - make_interval(secs => $5))
RETURNING m.id, m.campaign_id, m.account_id, m.person_id, m.address, m.purpose, m.status, m.reason
"""


async def recover(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    account_id: UUID,
    epoch: int,
    send_again: bool,
) -> list[asyncpg.Record]:
    """Take over what an owner before us left behind; return what was in flight.

    What waited in its hand surely was not sent (by a former runner of this very epoch neither);
    what was in flight may have been, and is sent again only where the receiver removes doubles.
    """
    slips = await connection.fetch(_TAKE, brand_id, account_id, epoch)
    if not slips:
        return []
    lost = [row["id"] for row in slips if row["lost"]]
    every = [row["id"] for row in slips]
    rows: list[asyncpg.Record] = await connection.fetch(
        _RECOVER, brand_id, every, send_again, lost, LONGEST_FLIGHT
    )
    return rows
