"""When somebody is written to, and how often: what brands and people may say of it."""

from datetime import time
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Contract

Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""A time of day by the wall clock, such as `21:30`."""


class QuietHours(Contract):
    """From `start` until `end` by the clock where a person lives; `end` may be on the next day."""

    start: Clock
    end: Clock

    @model_validator(mode="after")
    def _is_a_part_of_the_day(self) -> Self:
        if self.start == self.end:
            raise ValueError("start and end are the same time, which is no part of a day")
        return self

    @property
    def times(self) -> tuple[time, time]:
        """Both ends, to compare with."""
        return time.fromisoformat(self.start), time.fromisoformat(self.end)


LONGEST_CAP = 31
"""Days over which messages are counted at most."""


class Cap(Contract):
    """At most so many marketing messages to one person in any stretch of so many days."""

    messages: Annotated[int, Field(ge=1, le=100)]
    days: Annotated[int, Field(ge=1, le=LONGEST_CAP)]
