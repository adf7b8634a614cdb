"""Every row that knows a person, and how it goes."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

KNOW_A_PERSON = ("state", "denial", "address", "identity", "question", "person_key")
"""The tables that hold a `person_id`, but for the ledger's lines and `person` itself."""

_LOCK = "SELECT 1 FROM consent.person WHERE brand_id = $1 AND id = $2 FOR UPDATE"
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
    SELECT id FROM consent.event WHERE brand_id = $1 AND person_id = $2 AND expires_at IS NOT NULL)
"""
_FORGET = (
    *(
        f"DELETE FROM consent.{table} WHERE brand_id = $1 AND person_id = $2"  # noqa: S608 -- constants
        for table in KNOW_A_PERSON
    ),
    "DELETE FROM consent.person WHERE brand_id = $1 AND id = $2",
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


async def lock(connection: asyncpg.Connection, *, brand_id: UUID, person_id: UUID) -> bool:
    """Lock a person until the transaction ends; say whether there is one."""
    return await connection.fetchval(_LOCK, brand_id, person_id) is not None


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


async def forget(connection: asyncpg.Connection, *, brand_id: UUID, person_id: UUID) -> None:
    """Delete every row that knows the person, their key among them."""
    await connection.execute(_FORGET_ENDS, brand_id, person_id)
    for statement in _FORGET:
        await connection.execute(statement, brand_id, person_id)
