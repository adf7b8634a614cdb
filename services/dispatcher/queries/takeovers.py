"""What a takeover does to the rows that an owner before left in its hands."""

from uuid import UUID

import asyncpg

from services.dispatcher.queries.messages import LONGEST_FLIGHT

_RECOVER_CLAIMED = """
UPDATE dispatcher.message SET status = 'queued', updated_at = now()
WHERE brand_id = $1 AND account_id = $2 AND status = 'claimed' AND epoch <= $3
"""
_RECOVER_SENDING = """
UPDATE dispatcher.message
SET status = CASE WHEN $4 THEN 'queued' WHEN part > 0 THEN 'partial' ELSE 'unknown' END,
    reason = 'owner_lost', updated_at = now()
WHERE brand_id = $1 AND account_id = $2 AND status = 'sending'
  AND (epoch < $3 OR updated_at < now() - make_interval(secs => $5))
RETURNING id, campaign_id, account_id, person_id, address, purpose, status, reason
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

    What was claimed surely was not sent (by a former runner of this very epoch neither); what was
    in flight may have been, and is sent again only where the receiver removes doubles. Of this
    epoch's own that is what has been in flight for longer than anything can be.
    """
    await connection.execute(_RECOVER_CLAIMED, brand_id, account_id, epoch)
    rows: list[asyncpg.Record] = await connection.fetch(
        _RECOVER_SENDING, brand_id, account_id, epoch, send_again, LONGEST_FLIGHT
    )
    return rows
