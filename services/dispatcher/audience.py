"""The people of a campaign on one account, page by page, as consent allows them now."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict
from uuid import UUID

from channels.base.channel import Channel
from services.dispatcher.campaigns import audience_fields
from shared.clients.consent import ConsentClient
from shared.contracts.audiences import (
    AudienceCount,
    AudienceFilter,
    Excluded,
    Recipient,
)
from shared.contracts.campaigns import AudienceIn
from shared.contracts.forecast import ForecastIn, Lot

AT_ONCE = 1_000
"""Named addresses in one question."""
WRONG_CHANNEL = "wrong_channel"
"""The named address is one on another of the campaign's channels."""


class _Key(TypedDict):
    """What every question is about."""

    brand_id: UUID
    account_id: UUID
    purpose: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some of an audience: who gets a message, who is told why not, and where to go on."""

    recipients: Sequence[Recipient] = ()
    withheld: Sequence[Excluded] = ()
    excluded: dict[str, int] = field(default_factory=dict)
    next: str | None = None


class Audience:
    """An audience on one account. Named addresses are asked about in slices of their own."""

    def __init__(
        self,
        consent: ConsentClient,
        *,
        brand_id: UUID,
        account_id: UUID,
        channel: Channel,
        purpose: str,
        stored: dict[str, Any],
    ) -> None:
        """Take the audience as the campaign stores it."""
        self._consent = consent
        self._key: _Key = {
            "brand_id": brand_id,
            "account_id": account_id,
            "purpose": purpose,
        }
        asked = AudienceIn.model_construct(**audience_fields(stored))
        self._named: list[str] | None = None
        self._filter = AudienceFilter()
        self._wrong = 0
        if asked.addresses is not None:
            self._named, self._wrong = _normalised(channel, asked.addresses)
        else:
            self._filter = asked.filter()

    async def page(self, after: str | None, *, limit: int) -> Page:
        """Return the page behind the address `after`; none is the first one."""
        if self._named is not None:
            return await self._named_page(self._named, after, min(limit, AT_ONCE))
        page = await self._consent.audience(
            **self._key, filter=self._filter, after=after, limit=limit
        )
        return Page(page.recipients, page.withheld, page.excluded, page.next)

    async def count(self, forecast: ForecastIn | None = None) -> AudienceCount:
        """Return how many may be written to now, and how many not, by reason; and a forecast."""
        if self._named is None:
            return await self._consent.count(**self._key, filter=self._filter, forecast=forecast)
        eligible = 0
        lots: list[Lot] = []
        excluded: Counter[str] = Counter()
        deferred: Counter[str] = Counter()
        if self._wrong:
            excluded[WRONG_CHANNEL] = self._wrong
        for at in range(0, len(self._named), AT_ONCE):
            some = AudienceFilter(addresses=tuple(self._named[at : at + AT_ONCE]))
            counted = await self._consent.count(**self._key, filter=some, forecast=forecast)
            lots += counted.lots
            eligible += counted.eligible
            excluded.update(counted.excluded)
            deferred.update(counted.deferred)
        return AudienceCount(
            eligible=eligible,
            excluded=dict(excluded),
            deferred=dict(deferred),
            lots=tuple(lots),
        )

    async def _named_page(self, named: list[str], after: str | None, limit: int) -> Page:
        begin = 0 if after is None else bisect_right(named, after)
        chosen = named[begin : begin + limit]
        more = begin + limit < len(named)
        excluded = {WRONG_CHANNEL: self._wrong} if self._wrong and after is None else {}
        if not chosen:
            return Page(excluded=excluded)
        page = await self._consent.audience(
            **self._key, filter=AudienceFilter(addresses=tuple(chosen)), limit=len(chosen)
        )
        return Page(page.recipients, page.withheld, excluded, chosen[-1] if more else None)


def _normalised(channel: Channel, addresses: Sequence[str]) -> tuple[list[str], int]:
    """Return the addresses in order and in their one spelling, and how many are none here."""
    named: set[str] = set()
    wrong = 0
    for address in addresses:
        try:
            named.add(channel.normalise(address))
        except ValueError:
            wrong += 1
    return sorted(named), wrong
