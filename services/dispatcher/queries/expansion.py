"""From an audience to messages: one page, one transaction."""

import os
import time
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
from asyncpg.pgproto.pgproto import UUID as DriverUUID

from services.dispatcher.queries.slips import SIZE
from shared.ids import new_id


class Line(NamedTuple):
    """One message to be: for a person who may be written to, or withheld from one who may not.

    A tuple in the order of the statement's columns, because there are a million of them.
    """

    address: str
    person_id: UUID | None
    language: str
    parts: int
    due_at: datetime
    grant_seq: int
    consent_event_id: UUID | None
    withheld: str | None = None
    reason: str | None = None
    variant: str | None = None


class CursorMoved(Exception):
    """Somebody else stored this page, or the campaign does not run any more."""


_INSERT = """
WITH inserted AS (
    INSERT INTO dispatcher.message (brand_id, id, day, campaign_id, account_id, person_id, address,
        language, purpose, status, reason, parts, due_at, deadline, grant_seq, consent_event_id,
        variant, slip_id)
    SELECT $1, x.id, $2, $3, $4, x.person_id, x.address, x.language, $5,
        CASE WHEN x.withheld IS NULL THEN 'queued' ELSE 'withheld' END,
        coalesce(x.withheld, x.reason), x.parts, x.due_at, $6, x.grant_seq, x.consent_event_id,
        x.variant, x.slip_id
    FROM unnest($7::uuid[], $8::uuid[], $9::text[], $10::uuid[], $11::text[], $12::smallint[],
        $13::timestamptz[], $14::bigint[], $15::uuid[], $16::text[], $17::text[], $18::text[])
        AS x(id, slip_id, address, person_id, language, parts, due_at, grant_seq,
             consent_event_id, withheld, reason, variant)
    ON CONFLICT DO NOTHING RETURNING id, slip_id, due_at, reason),
listed AS (
    INSERT INTO dispatcher.slip (brand_id, id, account_id, queue_id, due_at, day, messages)
    SELECT $1, slip_id, $4, $3, min(due_at), $2, array_agg(id) FROM inserted
    WHERE slip_id IS NOT NULL GROUP BY slip_id)
SELECT count(*), count(*) FILTER (WHERE reason = 'zone_fallback') FROM inserted
"""
_ADVANCE = """
UPDATE dispatcher.campaign SET accepted = accepted + $4, expand_cursor = $6,
    excluded = $7, expanded = $6::jsonb IS NULL, zone_fallbacks = zone_fallbacks + $8
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
    new = fell_back = 0
    if lines:
        new, fell_back = await connection.fetchrow(
            _INSERT,
            brand_id,
            day,
            campaign_id,
            account_id,
            purpose,
            deadline,
            _new_ids(len(lines)),
            _slips(lines),
            *zip(*lines, strict=True),
        )
    if not await connection.fetchval(
        _ADVANCE, brand_id, campaign_id, day, new, before, after, excluded, fell_back
    ):
        raise CursorMoved
    return new


def _slips(lines: Sequence[Line]) -> list[UUID | None]:
    """Return the slip of each message: so many share one as are due together and fit on it."""
    slips: list[UUID | None] = []
    begun: dict[datetime, tuple[UUID, int]] = {}
    for line in lines:
        if line.withheld is not None:
            slips.append(None)
            continue
        slip, room = begun.get(line.due_at) or (new_id(), SIZE)
        slips.append(slip)
        if room > 1:
            begun[line.due_at] = slip, room - 1
        else:
            del begun[line.due_at]
    return slips


async def turn(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    campaign_id: UUID,
    before: Mapping[str, object],
    after: Mapping[str, object],
) -> bool:
    """Move the cursor without storing anything; false when somebody else moved it."""
    return bool(
        await connection.fetchval(
            "UPDATE dispatcher.campaign SET expand_cursor = $4 WHERE brand_id = $1 AND id = $2"
            " AND status = 'running' AND NOT expanded AND expand_cursor = $3 RETURNING true",
            brand_id,
            campaign_id,
            before,
            after,
        )
    )


def _new_ids(count: int) -> list[UUID]:
    """Make many UUIDv7 at once (see `shared.ids.new_id`), as the driver's own cheap class."""
    head = (time.time_ns() // 1_000_000).to_bytes(6)
    chance = bytearray(os.urandom(10 * count))
    ids: list[UUID] = []
    for at in range(0, len(chance), 10):
        chance[at] = chance[at] & 0x0F | 0x70
        chance[at + 2] = chance[at + 2] & 0x3F | 0x80
        ids.append(DriverUUID(head + chance[at : at + 10]))
    return ids


async def parts_by_language(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID
) -> dict[UUID, dict[str, dict[str, int]]]:
    """Return how many parts each frozen rendering has, by account, variant and language."""
    rows = await connection.fetch(
        "SELECT account_id, variant, language, jsonb_array_length(parts)"
        " FROM dispatcher.rendering WHERE brand_id = $1 AND campaign_id = $2",
        brand_id,
        campaign_id,
    )
    found: dict[UUID, dict[str, dict[str, int]]] = {}
    for account_id, variant, language, parts in rows:
        found.setdefault(account_id, {}).setdefault(variant, {})[language] = parts
    return found


async def own_languages(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID
) -> dict[str, str]:
    """Return the language of each variant's story, as it is now."""
    rows = await connection.fetch(
        "SELECT DISTINCT r.variant, s.language FROM dispatcher.rendering r"
        " JOIN dispatcher.story s ON s.brand_id = $1 AND s.id = r.story_id"
        " WHERE r.brand_id = $1 AND r.campaign_id = $2",
        brand_id,
        campaign_id,
    )
    return dict(rows)
