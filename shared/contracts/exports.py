"""A person's export: everything that is known of one person, for that person."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.consent import Address, HistoryEntry, Person
from shared.contracts.messages import Message
from shared.contracts.proofs import SentContent


class SentMessage(Message):
    """A message, and what it says."""

    content: SentContent


class SentMessages(Contract):
    """One page of the messages to an address, the oldest first."""

    items: tuple[SentMessage, ...]
    next: str | None = None


class MovedAddress(Contract):
    """An address that came with a merge."""

    channel: str
    address: Address


class PersonMerge(Contract):
    """A merge that holds: who became one with the person, and what they brought."""

    id: UUID
    """The ledger's line."""
    person_id: UUID
    """Who was merged."""
    into: UUID
    at: datetime
    addresses: tuple[MovedAddress, ...]


class PersonMerges(Contract):
    """A person's merges, the oldest first; what was taken apart again is not among them."""

    items: Annotated[tuple[PersonMerge, ...], Field(max_length=10_000)]


class PersonExport(Contract):
    """Everything that is known of a person."""

    type: Literal["permesso.person-export"] = "permesso.person-export"
    version: Literal[1] = 1
    exported_at: datetime
    person: Person
    merges: tuple[PersonMerge, ...]
    history: tuple[HistoryEntry, ...]
    """All that was recorded, the oldest first, with the evidence."""
    messages: tuple[SentMessage, ...]
    """All messages by address, the oldest first."""
