"""Receipts on the wire: what a person said, signed, for the person to keep."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.contracts.base import Contract


class Controller(Contract):
    """Who may write, and answers for it."""

    id: UUID
    name: str
    country: str


class Processing(Contract):
    """One thing that was agreed to, or not."""

    purpose: str
    legal_basis: Literal["consent"] = "consent"


class ReceiptEvent(Contract):
    """What was said, when, and by which means."""

    action: str
    state: str
    scope: str
    channel: str
    account_id: UUID
    address: str
    """Masked: enough to know one's own."""
    recorded_at: datetime
    told_at: datetime | None = None
    """When it happened, as the platform or the brand told."""
    expires_at: datetime | None = None
    source: str
    """By which means it was said."""
    rule: str | None = None
    """The button, or how the words were recognised."""
    reason: str | None = None


class ReceiptNotice(Contract):
    """What the person was told before they said it."""

    wording: str
    version: str | None = None
    language: str | None = None


class ReceiptLedger(Contract):
    """Where it stands in the brand's signed log."""

    log: str
    seq: int
    leaf: int | None = None
    """Its number in the log; null while it is not taken in, about a second."""


class ReceiptDocument(Contract):
    """A consent receipt with the fields of ISO/IEC TS 27560:2023."""

    schema_version: Literal["permesso/receipt/1"] = "permesso/receipt/1"
    record_id: UUID
    """The event of the ledger."""
    issued_at: datetime
    controller: Controller
    data_subject: UUID
    """A pseudonym."""
    processing: tuple[Processing, ...]
    event: ReceiptEvent
    notice: ReceiptNotice | None = None
    withdrawal: str
    """How to take it back."""
    ledger: ReceiptLedger


class SignedReceipt(Contract):
    """A receipt to read, and the same one signed."""

    receipt: ReceiptDocument
    jws: str
    """The signed form: `permesso receipt verify` checks it against `key`."""
    key: str
    """The log's public key, NAME+ID+KEY."""
