"""What the API does not tell, read from the database as its owner: the one place of such SQL."""

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from tests.failures.brand import Brand

_TICKS_OF_A_UUID = 80
"""Bits of a UUIDv7 behind its milliseconds."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A message whose end nobody knows, and the attempt that was in flight then."""

    account_id: str
    address: str
    reason: str
    intended_at: float
    """Seconds since the epoch: an attempt's id is made right before its intent."""


async def lost_in_flight(brand: Brand, campaign_id: str) -> list[Lost]:
    """Return what a takeover called unknown or partial."""
    found = await brand.rows(
        "SELECT account_id, address, reason, attempt_id FROM dispatcher.message"
        " WHERE campaign_id = $1::text::uuid AND status IN ('unknown', 'partial')",
        campaign_id,
    )
    return [
        Lost(str(row["account_id"]), row["address"], row["reason"], _made_at(row["attempt_id"]))
        for row in found
    ]


def _made_at(identity: UUID) -> float:
    return (identity.int >> _TICKS_OF_A_UUID) / 1000


async def lanes_of_each(brand: Brand) -> Counter[str]:
    """Return how many lanes of the whole house each living dispatcher holds; "" holds the free."""
    found = await brand.rows("SELECT coalesce(owner::text, '') AS owner FROM dispatcher.lane")
    living = await brand.rows("SELECT id::text FROM dispatcher.member WHERE NOT dead")
    return Counter({row["id"]: 0 for row in living}) + Counter(row["owner"] for row in found)


async def connect(brand: Brand) -> asyncpg.Connection:
    """Open a connection of the owner's, for what has to be held or looked at again and again."""
    return await asyncpg.connect(brand.owner_url)


async def queue_size(brand: Brand) -> float:
    """Return how large the tables are that list what waits, with their indexes, in MB.

    Where messages themselves are the queue, that is what their partial index takes.
    """
    [row] = await brand.rows(
        "SELECT coalesce(sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relname LIKE 'slip%'),"
        " sum(pg_relation_size(c.oid)) FILTER (WHERE c.relname LIKE 'message%queue%'), 0)::float8"
        " AS bytes FROM pg_class c WHERE c.relnamespace = 'dispatcher'::regnamespace"
        " AND c.relkind IN ('r', 'i')"
    )
    return float(row["bytes"]) / 2**20
