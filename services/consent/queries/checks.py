"""May these addresses be written to? The one statement that is asked before every send."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

# On the primary, always: a replica's yes may be older than the no.
CHECK = """
SELECT s.status, s.blocked, s.expires_at <= now(), s.paused_until > now(), s.event_id::text, s.seq
FROM unnest($3::text[]) WITH ORDINALITY AS asked(address, n)
LEFT JOIN consent.state s ON s.brand_id = $1 AND s.account_id = $2 AND s.purpose = $4
    AND s.address = asked.address
ORDER BY asked.n
"""
_CHECK_TOPIC = """
SELECT s.status, s.blocked, s.expires_at <= now(), s.paused_until > now(), s.event_id::text, s.seq
FROM unnest($3::text[]) WITH ORDINALITY AS asked(address, n)
LEFT JOIN LATERAL (
    SELECT * FROM consent.state t WHERE t.brand_id = $1 AND t.account_id = $2
        AND t.purpose = ANY ($4::text[]) AND t.address = asked.address
    ORDER BY array_position($4::text[], t.purpose) LIMIT 1) AS s ON true
ORDER BY asked.n
"""


async def states(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    account_id: UUID,
    purposes: Sequence[str],
    addresses: Sequence[str],
) -> list[asyncpg.Record]:
    """Return (status, blocked, expired, paused, event id, sequence) for each, in their order.

    The first of `purposes` that has a state decides; all is none where there is no state.
    """
    if len(purposes) == 1:
        rows = await connection.fetch(CHECK, brand_id, account_id, addresses, purposes[0])
    else:
        rows = await connection.fetch(_CHECK_TOPIC, brand_id, account_id, addresses, list(purposes))
    return list(rows)
