"""Erasure on the wire: who asked for it, and what is left to show that it was done."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.contracts.base import Contract

ErasedBy = Literal["person", "brand", "platform"]
"""Who asked: the person on their own page, the brand, or the platform whose account they left."""


class EraseIn(Contract):
    """Erase a person. `id` is made by the caller, so a repeat changes nothing."""

    id: UUID
    by: ErasedBy


class ErasureOrder(Contract):
    """An order as it waits in the inbox: whom to erase, and the id of the line it leads to."""

    id: UUID
    person_id: UUID
    by: ErasedBy


class Erased(Contract):
    """A person who was erased."""

    id: UUID
    """The line of the ledger; it has a proof, and tells nothing about the person."""
    person_id: UUID
    """A random number that leads to nobody any more."""
    seq: int
    erased_at: datetime
