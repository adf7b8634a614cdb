"""Why a person got a message: one document that can be verified offline (docs/ledger.md)."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import StringConstraints

from shared.contracts.base import Contract
from shared.contracts.consent import Evidence
from shared.contracts.ledger import LogProof
from shared.contracts.messages import Message
from shared.contracts.stories import Part

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ProvenEvent(Contract):
    """An event of the ledger: in the log, and with its sealed half opened."""

    proof: LogProof
    content: str | None
    """What was sealed, byte for byte: SHA-256 of it is the entry's `commitment`. None when its key
    was destroyed, or the line is gone."""
    evidence: Evidence | None
    """The same evidence as in `content`, for reading."""


class Dossier(Contract):
    """An event and those that its evidence names, all under one checkpoint."""

    events: tuple[ProvenEvent, ...]


class StatementIn(Contract):
    """A document that the house stands for."""

    sha256: Sha256


class Statement(Contract):
    """The document's hash, signed by the log's key."""

    note: str


class SentContent(Contract):
    """What a message says: the platform's calls, as they were frozen when it was made."""

    language: str | None
    story_id: UUID | None
    parts: tuple[Part, ...]


class ProvenContent(SentContent):
    """The same with its hash."""

    sha256: Sha256
    """Of `parts`, as RFC 8785 writes them."""


class ProvenPermission(Contract):
    """What consent answered when it was asked for this message the last time."""

    allowed: bool | None
    """None while nobody was asked, and where something else decided, such as a deadline."""
    reason: str | None
    consent_event_id: UUID | None
    asked_within_seconds: int
    """At most so long before an attempt began: an older answer is not good any more."""


class Webhook(Contract):
    """What a platform delivered, as it is kept."""

    inbox_id: UUID
    channel: str
    received_at: datetime
    sha256: Sha256
    body: str | None
    """None where it tells of other people too, or is no text."""


class ProvenConsent(ProvenEvent):
    """A consent that the message rests on, or that kept it back."""

    webhook: Webhook | None
    """None where none came, or it is no longer kept."""


class MessageProof(Contract):
    """Why this person got this message, or why not."""

    type: Literal["permesso.message-proof"] = "permesso.message-proof"
    version: Literal[1] = 1
    brand_id: UUID
    issued_at: datetime
    message: Message
    content: ProvenContent | None
    """None where it is no longer kept."""
    permission: ProvenPermission
    consents: tuple[ProvenConsent, ...]
    """The consent of the answer first, then what its evidence names: a notice, say."""
    statement: str
    """SHA-256 of all the rest, signed by the log's key: nobody has changed it since."""
