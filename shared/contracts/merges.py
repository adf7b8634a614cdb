"""Two persons who are one, taken apart again, and addresses that moved, on the wire."""

from datetime import datetime
from uuid import UUID

from shared.contracts.base import Contract
from shared.contracts.consent import Address, Evidence


class MergeIn(Contract):
    """A brand says that two persons are one. `id` is made by the caller; it names the merge."""

    id: UUID
    brand_id: UUID
    kept_id: UUID
    """The person who stays."""
    gone_id: UUID
    """The person whose addresses the kept one gets."""
    evidence: Evidence


class SplitIn(Contract):
    """A brand takes a merge back. `id` is made by the caller."""

    id: UUID
    brand_id: UUID
    kept_id: UUID
    merge_id: UUID
    evidence: Evidence


class MoveIn(Contract):
    """A platform gave a conversation another address. `id` is made by the caller."""

    id: UUID
    brand_id: UUID
    account_id: UUID
    address: Address
    new_address: Address
    at: datetime
    inbox_id: UUID | None = None
