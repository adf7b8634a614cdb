"""What a launch would find: an audience in lots of people for whom the same moment counts."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.contracts.base import Contract


class ForecastIn(Contract):
    """When a campaign would begin, and how its people are split."""

    at: AwareDatetime
    """The launch; nothing is due sooner."""
    wall: datetime | None = None
    """The wall-clock time that is meant where each person lives; None: all are due at `at`."""
    zone: str = "UTC"
    """Of those whose own time zone is of no use."""
    key: UUID | None = None
    """What people are split by: the campaign's id."""
    edges: Annotated[tuple[Annotated[int, Field(ge=0, le=2**32)], ...], Field(max_length=20)] = ()
    """Where the next share begins, of 0 to 2**32; none: nobody is split."""


class Lot(Contract):
    """People who may be written to, and for whom all this is the same."""

    number: int
    share: int = 0
    """Which share of the split is theirs, from 0."""
    due_at: datetime
    opens_at: datetime
    """When they may be written to: `due_at`, or the end of their quiet hours."""
    closes_at: datetime | None = None
    """When it is quiet again; a day later it opens again. None: never."""
    capped: bool = False
    """They have had as many as a cap lets them, and wait for their time."""
    zone_fallback: bool = False
    """Their time zone was missing or none; the account's was taken."""
