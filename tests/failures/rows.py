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
