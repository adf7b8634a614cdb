"""Imports on the wire: people from a brand's own records, each with the evidence of a yes."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.consent import Address, Evidence, Purpose

MOST_AT_ONCE = 1_000
"""Rows of one call."""

Tag = Annotated[str, Field(min_length=1, max_length=64)]


class ImportIn(Contract):
    """What a file of people is for. `id` is made by the caller, so a repeat changes nothing."""

    id: UUID
    brand_id: UUID
    account_id: UUID
    purpose: Purpose = "marketing"


class ImportRow(Contract):
    """One row of the file: a person and their yes, or why it cannot be read."""

    problem: str | None = None
    """Such as `wrong_address`; then nothing else counts."""
    address: Address | None = None
    evidence: Evidence | None = None
    language: str | None = None
    tags: Annotated[tuple[Tag, ...], Field(max_length=50)] = ()


class ImportRows(Contract):
    """Some rows in their order; `first` is the number of the first one, counted from 1."""

    first: Annotated[int, Field(ge=1)]
    rows: Annotated[tuple[ImportRow, ...], Field(min_length=1, max_length=MOST_AT_ONCE)]


class Import(Contract):
    """How far an import is, and what became of its rows."""

    id: UUID
    account_id: UUID
    purpose: str
    status: Literal["running", "done"]
    rows: int
    """Rows that were read so far; the four counts below add up to them."""
    granted: int
    """May be written to from now on."""
    known: int
    """Could be written to before."""
    suppressed: int
    """Said no before, or the yes has run out: a file does not bring that back."""
    quarantined: int
    """Without evidence of a yes, or unreadable: nothing of these rows was kept."""
    reasons: dict[str, int]
    """Why rows were suppressed or quarantined, with how many of each."""
    created_at: datetime
    ended_at: datetime | None = None


class AsideRow(Contract):
    """A row that brought no consent: its number in the file, and why."""

    row: int
    reason: str


class AsideRows(Contract):
    """Rows that brought no consent, in the order of the file."""

    items: tuple[AsideRow, ...]
    next: int | None = None
