"""Refreshes on the wire: the question whether to go on, before a yes runs out."""

from uuid import UUID

from shared.contracts.base import Contract
from shared.contracts.consent import Address, Purpose, Question


class RefreshIn(Contract):
    """Ask for the question's words, to put them into this message at once."""

    message_id: UUID


class Refresh(Contract):
    """What to ask a person, and where."""

    id: UUID
    """The line of the ledger that says that the end comes near."""
    account_id: UUID
    address: Address
    person_id: UUID
    purpose: Purpose
    """What was agreed to, and what the message that asks is sent for."""
    language: str
    words: str
    question: Question
