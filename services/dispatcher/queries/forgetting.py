"""What is kept of an erased person's messages and events: numbers, states and times."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

_KEPT = (
    *("message_id", "campaign_id", "account_id", "channel", "person_id", "purpose", "purposes"),
    *("scope", "status", "reason", "kind", "keyword", "at", "expires_at", "consent_event_id"),
    *("inbox_id", "erased"),
)
"""What an event may still tell: nothing that a person said, and nowhere to reach them."""

# Straight through the index that keeps messages single: one look for each campaign and address.
_FIND = """
SELECT m.id, m.day, m.status FROM unnest($2::uuid[], $3::text[]) AS w(account_id, address)
JOIN dispatcher.campaign c ON c.brand_id = $1 AND c.day IS NOT NULL
    AND w.account_id = ANY (c.account_ids)
JOIN dispatcher.message m ON m.brand_id = $1 AND m.campaign_id = c.id AND m.day = c.day
    AND m.account_id = w.account_id AND m.address = w.address
UNION ALL
SELECT m.id, m.day, m.status FROM unnest($2::uuid[], $3::text[]) AS w(account_id, address)
JOIN dispatcher.message m ON m.brand_id = $1 AND m.campaign_id IS NULL
    AND m.account_id = w.account_id AND m.address = w.address
"""
# An address of its own for each row: messages of one campaign are told apart by theirs.
_MESSAGES = """
UPDATE dispatcher.message m SET address = 'erased:' || m.id, person_id = $4, language = NULL,
    content = NULL, updated_at = now(),
    status = CASE WHEN m.status <> 'queued' THEN m.status
        WHEN m.part > 0 THEN 'partial' ELSE 'cancelled' END,
    reason = CASE WHEN m.status = 'queued' THEN 'erased' ELSE m.reason END
FROM unnest($2::uuid[], $3::date[]) AS w(id, day)
WHERE m.brand_id = $1 AND m.id = w.id AND m.day = w.day AND m.status <> 'sending'
RETURNING m.id
"""
_ONLY_KEPT = """
data = (SELECT coalesce(jsonb_object_agg(k, v), '{}') FROM jsonb_each(e.data) AS d(k, v)
        WHERE k = ANY ($3::text[])) || '{"erased": true}'
"""
_EVENTS = f"""
UPDATE dispatcher.event e SET {_ONLY_KEPT}
WHERE e.brand_id = $1 AND e.data ->> 'person_id' = $2 AND NOT e.data ? 'erased'
"""  # noqa: S608 -- constants
_EVENTS_OF_MESSAGES = f"""
UPDATE dispatcher.event e SET {_ONLY_KEPT}
WHERE e.brand_id = $1 AND e.data ->> 'person_id' IS NULL
  AND e.data ->> 'message_id' = ANY ($2::text[]) AND NOT e.data ? 'erased'
"""  # noqa: S608 -- constants
_AUDIENCES = """
UPDATE dispatcher.campaign c SET audience = jsonb_build_object('addresses', CASE
    WHEN c.audience -> 'addresses' <@ to_jsonb($2::text[]) THEN '["erased"]'
    ELSE (c.audience -> 'addresses') - $2::text[] END)
WHERE c.brand_id = $1 AND c.audience -> 'addresses' ?| $2::text[]
"""


async def messages(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    person_id: UUID,
    places: Sequence[tuple[UUID, str]],
) -> tuple[list[UUID], bool]:
    """Forget the messages to these accounts and addresses; whatever waited is cancelled.

    Returns those that were forgotten, and whether none is still in flight.
    """
    accounts, addresses = [each for each, _ in places], [each for _, each in places]
    found = await connection.fetch(_FIND, brand_id, accounts, addresses)
    ids, days = [row["id"] for row in found], [row["day"] for row in found]
    done = await connection.fetch(_MESSAGES, brand_id, ids, days, person_id)
    return [row["id"] for row in done], len(done) == len(found)


async def events(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    person_id: UUID,
    messages: Sequence[UUID] = (),
) -> int:
    """Let the events about a person, and about these messages, tell only what is kept."""
    kept = list(_KEPT)
    ids = [str(each) for each in messages]
    of_person: str = await connection.execute(_EVENTS, brand_id, str(person_id), kept)
    of_messages: str = await connection.execute(_EVENTS_OF_MESSAGES, brand_id, ids, kept)
    return sum(int(done.rpartition(" ")[2]) for done in (of_person, of_messages))


async def audiences(
    connection: asyncpg.Connection, *, brand_id: UUID, addresses: Sequence[str]
) -> None:
    """Take the addresses out of the lists that campaigns were made for."""
    await connection.execute(_AUDIENCES, brand_id, list(addresses))
