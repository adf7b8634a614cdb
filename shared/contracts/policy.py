"""What a brand asks of itself beyond its country. What is left out is as the law has it."""

from typing import Annotated

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.clock import Cap, QuietHours
from shared.contracts.consent import Purpose

Days = Annotated[int, Field(ge=1, le=3_650)]


class BrandPolicy(Contract):
    """The rules of one brand; `null` stands for what its country asks for."""

    double_opt_in: bool | None = None
    """A yes in a chat counts once the notice was answered. On by itself in Italy."""
    review_hours: Annotated[int, Field(ge=1, le=720)] = 72
    """How long doubtful words may wait for somebody; then they were a no."""
    quiet_hours: QuietHours | None = None
    """When marketing waits, beside what the country asks for where a person lives."""
    caps: Annotated[tuple[Cap, ...], Field(max_length=4)] = ()
    """All of them hold, for all campaigns and channels together."""
    expires_after_days: Annotated[dict[Purpose, Days], Field(max_length=100)] | None = None
    """For how many days a yes to a purpose is good, from then on; a topic follows `marketing`. What
    is named takes the place of the country's."""
    refresh_days: Annotated[int, Field(ge=0, le=90)] | None = 30
    """How many days before a yes to marketing runs out its person is asked, once, whether to go on.
    0 or `null`: never."""
