"""The feed of the registry on the wire: what became true, in order."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.contracts.base import Contract

News = Literal[
    "consent.granted",
    "consent.pending",
    "consent.revoked",
    "consent.paused",
    "consent.resumed",
    "consent.doubtful",
    "consent.expiring",
    "consent.expired",
    "person.merged",
    "person.split",
    "person.erased",
    "ledger.checkpoint",
]


class FeedItem(Contract):
    """Something that became true in the registry, for those who tell others about it."""

    cursor: int
    brand_id: UUID
    event_id: UUID
    type: News
    at: datetime
    data: dict[str, object]


class Feed(Contract):
    """Items in order; follow with `after=<last cursor>`."""

    items: tuple[FeedItem, ...]
    cursor: int
