"""Whom a campaign is for: the question, and a page of the answer."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.contracts.attributes import AttributeFilter
from shared.contracts.base import Contract
from shared.contracts.consent import Address, Purpose
from shared.contracts.forecast import ForecastIn, Lot


class AudienceFilter(Contract):
    """Who is meant: `everyone`, `tags` or `attributes` or both, or `addresses`."""

    everyone: bool = False
    tags: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    """People who carry at least one of them."""
    attributes: AttributeFilter | None = None
    """People whose attributes fit; with `tags`, those of them who do."""
    addresses: Annotated[tuple[Address, ...], Field(max_length=100_000)] = ()
    """Each of them gets a message, if only a withheld one."""


class AudienceQuestion(Contract):
    """One page of an audience on one account, in the order of addresses."""

    brand_id: UUID
    account_id: UUID
    purpose: Purpose
    filter: AudienceFilter
    after: str | None = None
    """The last address of the page before."""
    limit: Annotated[int, Field(ge=1, le=5_000)] = 1_000
    forecast: ForecastIn | None = None
    """Of a count: tell of a launch too, in lots."""


class Recipient(Contract):
    """A person of an audience who may be written to now."""

    person_id: UUID
    address: Address
    language: str | None = None
    timezone: str | None = None
    consent_event_id: UUID | None = None
    seq: int = 0


class Excluded(Contract):
    """A named address that may not be written to now."""

    person_id: UUID | None = None
    address: Address
    reason: str


class AudiencePage(Contract):
    """Those who may be written to; those who may not, by reason; where to go on."""

    recipients: tuple[Recipient, ...]
    excluded: dict[str, int] = {}
    """Counts of this page, for `everyone` and `tags`."""
    withheld: tuple[Excluded, ...] = ()
    """One by one, for `addresses`."""
    next: str | None = None


class AudienceCount(Contract):
    """How many of an audience may be written to."""

    eligible: int
    excluded: dict[str, int]
    deferred: dict[str, int] = {}
    """How many of those who may would have to wait now, by reason."""
    lots: tuple[Lot, ...] = ()
    """Those who may, as a launch would find them, where that was asked."""
