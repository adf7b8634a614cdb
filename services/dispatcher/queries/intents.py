"""The intent: what is about to be sent is written down before its first byte leaves."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

import asyncpg


class Intent(NamedTuple):
    """One attempt that is about to begin, of a lane under its epoch."""

    account_id: UUID
    epoch: int
    message_id: UUID
    attempt_id: UUID
    consent_event_id: str | None


# The message must still wait, and its slip still be in this owner's hand. What belongs to a message
# or to a lane is found by its place: a join with rows of parameters compares all with all, and
# leaves the planner free to begin elsewhere than with the ids.
_INTENT = """
UPDATE dispatcher.message m SET status = 'sending', attempts = m.attempts + 1, updated_at = now(),
    attempt_id = ($4::uuid[])[array_position($3, m.id)],
    consent_event_id = ($5::uuid[])[array_position($3, m.id)]
WHERE m.brand_id = $1 AND m.day = $2 AND m.id = ANY ($3::uuid[]) AND m.status = 'queued'
  AND EXISTS (SELECT FROM dispatcher.slip s WHERE s.brand_id = $1 AND s.id = m.slip_id
      AND s.epoch = ($7::bigint[])[array_position($6::uuid[], s.account_id)])
RETURNING array_position($3, m.id)
"""


async def intend(
    connection: asyncpg.Connection, *, brand_id: UUID, day: date, intents: Sequence[Intent]
) -> set[UUID]:
    """Write down that these messages of one day, on whatever lanes, are about to be sent.

    Returns the messages that may go; one that was cancelled, or whose slip was taken away, does
    not come back, and must not be sent. One statement.
    """
    lanes: dict[UUID, int] = {}
    others = [x for x in intents if lanes.setdefault(x.account_id, x.epoch) != x.epoch]
    if others:
        # Of a lane that was lost and taken again meanwhile: each epoch is asked by itself.
        intents = [x for x in intents if lanes[x.account_id] == x.epoch]
    rows = await connection.fetch(
        _INTENT,
        brand_id,
        day,
        [x.message_id for x in intents],
        [x.attempt_id for x in intents],
        [x.consent_event_id for x in intents],
        list(lanes),
        list(lanes.values()),
    )
    going = {intents[row[0] - 1].message_id for row in rows}
    if others:
        going |= await intend(connection, brand_id=brand_id, day=day, intents=others)
    return going
