"""Words that may have been a no, and who decides what they were."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.contracts.base import Contract
from shared.contracts.consent import Address, Evidence, Scope

Decision = Literal["revoke", "resume"]
ReviewStatus = Literal["open", "decided"]


class Review(Contract):
    """Doubtful words of a person. Marketing to them is paused until it is decided."""

    id: UUID
    """That of the event in the ledger."""
    seq: int
    person_id: UUID
    account_id: UUID
    address: Address
    scope: Scope
    """How far the pause reaches, and the revocation if it becomes one."""
    status: ReviewStatus
    opened_at: datetime
    due_at: datetime
    """Who has not decided by then has decided for a revocation."""
    decided_at: datetime | None = None
    decision: Decision | None = None
    decided_by: str | None = None
    """`person`, `clock`, or the key of the brand that decided, as `key:<id>`."""
    evidence: Evidence
    """The words in `text`; `rule`, `score` and `language` tell how they were heard."""


class Reviews(Contract):
    """Reviews in the ledger's order; go on with `after=<next>`."""

    items: tuple[Review, ...]
    next: int | None = None
