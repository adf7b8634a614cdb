"""Forgetting on the wire: whom the dispatcher has to forget, and what it found."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.consent import Address


class Place(Contract):
    """Where the person could be written to."""

    account_id: UUID
    address: Address


class Forget(Contract):
    """Forget a person, at each account and address that they were known by."""

    brand_id: UUID
    person_id: UUID
    places: Annotated[tuple[Place, ...], Field(max_length=10_000)]


class Forgotten(Contract):
    """What was forgotten."""

    messages: int
    events: int
    settled: bool
    """False: something is in flight to them; ask again."""
