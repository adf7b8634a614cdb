"""One line of the ledger, with its brand and its place in the log."""

from uuid import UUID

import asyncpg

_LINE = """
SELECT e.id, e.seq, e.action, e.outcome, e.reason, e.channel, e.account_id, e.person_id,
    e.purposes, e.held_scope, e.recorded_at, e.expires_at, e.sealed, b.name, b.country, l.number
FROM consent.event e
LEFT JOIN consent.brand b ON b.brand_id = e.brand_id
LEFT JOIN consent.log_leaf l ON l.brand_id = e.brand_id AND l.event_id = e.id
WHERE e.brand_id = $1 AND e.id = $2
"""


async def line(
    connection: asyncpg.Connection, *, brand_id: UUID, event_id: UUID
) -> asyncpg.Record | None:
    """Return a line for its receipt; None where there is none of this brand."""
    return await connection.fetchrow(_LINE, brand_id, event_id)
