"""Every row that knows a person, and how it goes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

KNOW_A_PERSON = (
    *("state", "denial", "pause", "review", "question"),
    *("address", "identity", "person_key", "contact", "use"),
)
"""The tables that hold a `person_id`, but for the ledger's lines and `person` itself."""

# Whoever was merged into the person is the person. In one order, as everywhere.
_LOCK = """
SELECT p.id, p.merged_into FROM consent.person p WHERE p.brand_id = $1 AND p.id IN (
    WITH RECURSIVE who AS (
        SELECT $2::uuid AS id
        UNION
        SELECT m.id FROM who JOIN consent.person m ON m.brand_id = $1 AND m.merged_into = who.id)
    SELECT id FROM who)
ORDER BY p.id FOR UPDATE OF p
"""
_IDENTITIES = """
SELECT channel, address FROM consent.identity WHERE brand_id = $1 AND person_id = $2
ORDER BY channel, address
"""
# Where the person was met first. Who was only ever in a list that brought no consent has no address
# on any account: then it is one of the channel's.
_FIRST = """
SELECT a.id, a.channel, i.address, clock_timestamp() AS now FROM consent.identity i
JOIN consent.account a ON a.brand_id = i.brand_id AND a.channel = i.channel
LEFT JOIN consent.address k
    ON k.brand_id = i.brand_id AND k.account_id = a.id AND k.address = i.address
WHERE i.brand_id = $1 AND i.person_id = $2
ORDER BY k.created_at NULLS LAST, a.id, i.address LIMIT 1
"""
_FORGET_ENDS = """
DELETE FROM consent.expiry WHERE event_id IN (
    SELECT id FROM consent.event
    WHERE brand_id = $1 AND person_id = ANY ($2::uuid[]) AND expires_at IS NOT NULL)
"""
_FORGET_PAUSES = """
DELETE FROM consent.pause_due WHERE event_id IN (
    SELECT event_id FROM consent.pause WHERE brand_id = $1 AND person_id = ANY ($2::uuid[])
    UNION SELECT id FROM consent.review WHERE brand_id = $1 AND person_id = ANY ($2::uuid[]))
"""
_FORGET = (
    _FORGET_ENDS,
    _FORGET_PAUSES,
    *(
        f"DELETE FROM consent.{table} WHERE brand_id = $1 AND person_id = ANY ($2::uuid[])"  # noqa: S608 -- constants
        for table in KNOW_A_PERSON
    ),
    "DELETE FROM consent.merge WHERE brand_id = $1 AND (kept_id = ANY ($2::uuid[])"
    " OR gone_id = ANY ($2::uuid[]))",
    "DELETE FROM consent.person WHERE brand_id = $1 AND id = ANY ($2::uuid[])",
)


@dataclass(frozen=True, slots=True)
class Known:
    """What has to be known of a person once more."""

    account_id: UUID
    channel: str
    address: str
    now: datetime
    identities: tuple[tuple[str, str], ...]
    """Channel and address of each."""


async def lock(
    connection: asyncpg.Connection, *, brand_id: UUID, person_id: UUID
) -> dict[UUID, UUID | None]:
    """Lock a person, and whoever was merged into them; return into whom each of them was merged."""
    locked = await connection.fetch(_LOCK, brand_id, person_id)
    # Who waited for the locks may not hold those of people who were merged meanwhile.
    while (again := await connection.fetch(_LOCK, brand_id, person_id)) != locked:
        locked = again
    return {UUID(int=who.int): into for who, into in locked}


async def find(connection: asyncpg.Connection, *, brand_id: UUID, person_id: UUID) -> Known:
    """Return where a person was met, and all their identities; they must be locked."""
    identities = await connection.fetch(_IDENTITIES, brand_id, person_id)
    first = await connection.fetchrow(_FIRST, brand_id, person_id)
    account_id, channel, address, now = first
    return Known(
        account_id,
        channel,
        address,
        now,
        tuple((channel, address) for channel, address in identities),
    )


async def forget(
    connection: asyncpg.Connection, *, brand_id: UUID, people: Collection[UUID]
) -> None:
    """Delete every row that knows these people, their keys among them."""
    for statement in _FORGET:
        await connection.execute(statement, brand_id, list(people))
