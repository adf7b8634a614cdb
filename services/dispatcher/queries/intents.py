"""The intent: what is about to be sent is written down before its first byte leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import asyncpg


@dataclass(frozen=True, slots=True)
class Intent:
    """One attempt that is about to begin, on a slip in its lane's hand."""

    message_id: UUID
    slip_id: UUID
    attempt_id: UUID
    consent_event_id: str | None
    epoch: int


# The message must still wait, and its slip still be in this owner's hand. The ids stand twice, as
# rows and as `= ANY`: the second says that they are to be looked up, whatever the statistics of a
# table that was empty a minute ago.
_INTENT = """
UPDATE dispatcher.message m SET status = 'sending', attempt_id = x.attempt_id,
    attempts = m.attempts + 1, consent_event_id = x.consent_event_id, updated_at = now()
FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::bigint[])
    AS x(id, slip_id, attempt_id, consent_event_id, epoch)
WHERE m.brand_id = $1 AND m.day = $2 AND m.id = ANY($3) AND m.id = x.id AND m.status = 'queued'
  AND m.slip_id = x.slip_id
  AND EXISTS (SELECT FROM dispatcher.slip s
      WHERE s.brand_id = $1 AND s.id = x.slip_id AND s.epoch = x.epoch)
RETURNING m.id
"""


async def intend(
    connection: asyncpg.Connection, *, brand_id: UUID, day: date, intents: Sequence[Intent]
) -> set[UUID]:
    """Write down that these messages of one day, on whatever lanes, are about to be sent.

    Returns the messages that may go; one that was cancelled, or whose slip was taken away, does
    not come back, and must not be sent. One statement.
    """
    rows = await connection.fetch(
        _INTENT,
        brand_id,
        day,
        [x.message_id for x in intents],
        [x.slip_id for x in intents],
        [x.attempt_id for x in intents],
        [x.consent_event_id for x in intents],
        [x.epoch for x in intents],
    )
    return {row[0] for row in rows}
