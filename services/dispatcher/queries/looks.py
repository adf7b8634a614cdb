"""What a lane's owner asks before each round, and before it goes to sleep."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.dispatcher.queries.slips import NO_CAMPAIGN


@dataclass(frozen=True, slots=True)
class Look:
    """How a lane is."""

    paused: float
    """Seconds that it must still be silent; 0 or less when it may speak."""
    ours: bool
    """Still under the epoch of who asks."""
    singles: bool
    """Messages without a campaign are due."""
    strays: bool
    """Slips are in the hand of an owner before."""
    campaigns: list[UUID]
    """Those that run and may have messages for this account."""


_LOOK = """
SELECT extract(epoch FROM greatest(l.paused_until, now()) - now())::float8, l.epoch = $3,
    EXISTS (SELECT FROM dispatcher.slip WHERE brand_id = $1 AND account_id = $2 AND queue_id = $4
        AND epoch = 0 AND due_at <= now()),
    EXISTS (SELECT FROM dispatcher.slip WHERE brand_id = $1 AND account_id = $2 AND epoch > 0
        AND epoch < $3),
    ARRAY (SELECT id FROM dispatcher.campaign WHERE brand_id = $1 AND status = 'running'
        AND $2 = ANY (account_ids) ORDER BY id)
FROM dispatcher.lane l WHERE l.id = $2
"""


async def look(
    connection: asyncpg.Connection, *, brand_id: UUID, account_id: UUID, epoch: int
) -> Look:
    """Return how a lane is; one that is gone is not ours."""
    row = await connection.fetchrow(_LOOK, brand_id, account_id, epoch, NO_CAMPAIGN)
    return Look(*row) if row is not None else Look(0.0, False, False, False, [])


async def running_campaigns(
    connection: asyncpg.Connection, *, brand_id: UUID, account_id: UUID
) -> list[UUID]:
    """Return the campaigns that may have messages for this account."""
    rows = await connection.fetch(
        "SELECT id FROM dispatcher.campaign WHERE brand_id = $1 AND status = 'running'"
        " AND $2 = ANY (account_ids) ORDER BY id",
        brand_id,
        account_id,
    )
    return [row[0] for row in rows]


_NEXT_DUE = """
SELECT min(first.due_at) FROM (
    SELECT $3::uuid AS id UNION ALL SELECT id FROM dispatcher.campaign
    WHERE brand_id = $1 AND status = 'running' AND $2 = ANY (account_ids)) AS q
CROSS JOIN (VALUES (true), (false)) AS o(again)
CROSS JOIN LATERAL (
    SELECT due_at FROM dispatcher.slip WHERE brand_id = $1 AND account_id = $2
        AND queue_id = q.id AND epoch = 0 AND again = o.again ORDER BY due_at LIMIT 1) AS first
"""


async def next_due(
    connection: asyncpg.Connection, *, brand_id: UUID, account_id: UUID
) -> datetime | None:
    """Return when there will be something to do on an account's lane; none when nothing waits."""
    moment: datetime | None = await connection.fetchval(
        _NEXT_DUE, brand_id, account_id, NO_CAMPAIGN
    )
    return moment
