"""Stop everything for some people: the order, and what was done."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.consent import Address


class HaltTarget(Contract):
    """One key that must fall silent. `marketing` stands for its topics too."""

    account_id: UUID
    address: Address
    purposes: tuple[str, ...]


class Halt(Contract):
    """Stop everything for these keys that was made before ledger sequence `seq`."""

    brand_id: UUID
    seq: int
    targets: Annotated[tuple[HaltTarget, ...], Field(max_length=1_000)]
    wait_seconds: Annotated[float, Field(ge=0, le=30)] = 6.0


class Halted(Contract):
    """How many were cancelled, and whether all that was in flight has settled."""

    cancelled: int
    settled: bool
