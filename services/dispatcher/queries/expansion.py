"""From an audience to messages: one page, one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg


@dataclass(frozen=True, slots=True)
class Line:
    """One message to be: for a person who may be written to, or withheld from one who may not."""

    id: UUID
    person_id: UUID | None
    address: str
    language: str
    parts: int
    due_at: datetime
    grant_seq: int
    consent_event_id: UUID | None
    withheld: str | None = None
    reason: str | None = None


class CursorMoved(Exception):
    """Somebody else stored this page, or the campaign does not run any more."""


_INSERT = """
WITH inserted AS (
    INSERT INTO dispatcher.message (brand_id, id, day, campaign_id, queue_id, account_id,
        person_id, address, language, purpose, status, reason, parts, due_at, deadline, grant_seq,
        consent_event_id)
    SELECT $1, x.id, $2, $3, $3, $4, x.person_id, x.address, x.language, $5,
        CASE WHEN x.withheld IS NULL THEN 'queued' ELSE 'withheld' END,
        coalesce(x.withheld, x.reason), x.parts, x.due_at, $6, x.grant_seq, x.consent_event_id
    FROM unnest($7::uuid[], $8::uuid[], $9::text[], $10::text[], $11::smallint[],
        $12::timestamptz[], $13::bigint[], $14::uuid[], $15::text[], $16::text[])
        AS x(id, person_id, address, language, parts, due_at, grant_seq, consent_event_id,
             withheld, reason)
    ON CONFLICT DO NOTHING RETURNING 1)
SELECT count(*) FROM inserted
"""
_ADVANCE = """
UPDATE dispatcher.campaign SET accepted = accepted + $4, expand_cursor = $6,
    excluded = $7, expanded = $6::jsonb IS NULL
WHERE brand_id = $1 AND id = $2 AND day = $3 AND status = 'running' AND NOT expanded
  AND expand_cursor IS NOT DISTINCT FROM $5
RETURNING true
"""


async def store_page(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    campaign_id: UUID,
    account_id: UUID,
    day: date,
    purpose: str,
    deadline: datetime | None,
    lines: Sequence[Line],
    before: Mapping[str, object] | None,
    after: Mapping[str, object] | None,
    excluded: Mapping[str, int],
) -> int:
    """Insert a page's messages and move the cursor from `before` to `after` (None: the end).

    Returns how many were new; raises `CursorMoved`, and the transaction must not be committed. The
    campaign's row is touched last, so that claims wait only for a moment.
    """
    new = 0
    if lines:
        new = await connection.fetchval(
            _INSERT,
            brand_id,
            day,
            campaign_id,
            account_id,
            purpose,
            deadline,
            [line.id for line in lines],
            [line.person_id for line in lines],
            [line.address for line in lines],
            [line.language for line in lines],
            [line.parts for line in lines],
            [line.due_at for line in lines],
            [line.grant_seq for line in lines],
            [line.consent_event_id for line in lines],
            [line.withheld for line in lines],
            [line.reason for line in lines],
        )
    if not await connection.fetchval(
        _ADVANCE, brand_id, campaign_id, day, new, before, after, excluded
    ):
        raise CursorMoved
    return new


async def parts_by_language(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID
) -> dict[UUID, dict[str, int]]:
    """Return how many parts each frozen rendering has, by account and language."""
    rows = await connection.fetch(
        "SELECT account_id, language, jsonb_array_length(parts) FROM dispatcher.rendering"
        " WHERE brand_id = $1 AND campaign_id = $2",
        brand_id,
        campaign_id,
    )
    found: dict[UUID, dict[str, int]] = {}
    for account_id, language, parts in rows:
        found.setdefault(account_id, {})[language] = parts
    return found
