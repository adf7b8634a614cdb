"""What a brand asks of itself beyond its country. What is left out is as the law has it."""

from datetime import time
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Contract
from shared.contracts.consent import Purpose

Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""A time of day by the wall clock, such as `21:30`."""
Days = Annotated[int, Field(ge=1, le=3_650)]


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


class BrandPolicy(Contract):
    """The rules of one brand; `null` stands for what its country asks for."""

    double_opt_in: bool | None = None
    """A yes in a chat counts once the notice was answered. On by itself in Italy."""
    review_hours: Annotated[int, Field(ge=1, le=720)] = 72
    """How long doubtful words may wait for somebody; then they were a no."""
    expires_after_days: Annotated[dict[Purpose, Days], Field(max_length=100)] | None = None
    """For how many days a yes to a purpose is good, from then on; a topic follows `marketing`. What
    is named takes the place of the country's."""
    refresh_days: Annotated[int, Field(ge=0, le=90)] | None = 30
    """How many days before a yes to marketing runs out its person is asked, once, whether to go on.
    0 or `null`: never."""
