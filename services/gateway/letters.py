"""A stored webhook, opened again: what came in, for whom, and what was said in it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from channels.registry import CHANNELS
from services.gateway.webhooks import recall
from shared.contracts.consent import ConsentEventIn
from shared.contracts.erasures import ErasureOrder
from shared.contracts.inbound import InboundEvent, NotUnderstood
from shared.ids import derived_id

API: Final = "api"
"""The channel of rows that a call of ours put in: `ConsentEventIn`, or an `ErasureOrder`."""
ERASURE: Final = "erasure/"
"""How the `dedupe` of an order to erase somebody begins."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One row of the inbox with what is known of its brand."""

    id: UUID
    brand_id: UUID
    brand_name: str
    languages: tuple[str, ...]
    account_id: UUID
    channel: str
    received_at: datetime
    dedupe: str
    request: dict[str, dict[str, str]]
    body: bytes

    @classmethod
    def of(cls, brand_id: UUID, row: asyncpg.Record) -> "Letter":
        """Open a row."""
        return cls(
            id=row["id"],
            brand_id=brand_id,
            brand_name=row["brand_name"],
            languages=tuple(row["languages"]),
            account_id=row["account_id"],
            channel=row["channel"],
            received_at=row["received_at"],
            dedupe=row["dedupe"],
            request=row["request"],
            body=row["body"],
        )

    def events(self) -> list[InboundEvent]:
        """Return what the platform says happened."""
        channel = CHANNELS.get(self.channel)
        if channel is None:
            return [NotUnderstood(key="row", at=self.received_at, kind="channel_gone")]
        return channel.parse(recall(self.request, self.body, self.received_at))

    def order(self) -> ConsentEventIn:
        """Return the revocation that a brand's call asked for."""
        return ConsentEventIn.model_validate_json(self.body)

    @property
    def erases(self) -> bool:
        """Is it an order to erase somebody?"""
        return self.channel == API and self.dedupe.startswith(ERASURE)

    def erasure(self) -> ErasureOrder:
        """Return whom a call asked to erase."""
        return ErasureOrder.model_validate_json(self.body)

    def id_for(self, key: str, purpose: str) -> UUID:
        """Return the one id of what follows from an event of this letter."""
        return derived_id(self.id, f"{key}/{purpose}")
