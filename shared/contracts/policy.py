"""What a brand asks of itself beyond its country. What is left out is as the law has it."""

from typing import Annotated

from pydantic import Field, StringConstraints

from shared.contracts.base import Contract

TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class QuietHours(Contract):
    """When no marketing leaves, by the clock of the person: from `start` until before `end`.

    They may pass midnight; equal ones are none at all.
    """

    start: TimeOfDay
    end: TimeOfDay


class Cap(Contract):
    """At most so many marketing messages in so many days to one person, of all campaigns together.

    All channels count.
    """

    messages: Annotated[int, Field(ge=1, le=100)]
    days: Annotated[int, Field(ge=1, le=366)]


class BrandPolicy(Contract):
    """The rules of one brand; `null` stands for what its country asks for."""

    double_opt_in: bool | None = None
    """A yes in a chat counts once the notice was answered. On by itself in Italy."""
    quiet_hours: QuietHours | None = None
    caps: Annotated[tuple[Cap, ...], Field(max_length=5)] = ()
    expires_after_days: Annotated[int, Field(ge=1, le=3_650)] | None = None
    """How long a yes to marketing holds when nothing else is said with it."""
    review_hours: Annotated[int, Field(ge=1, le=720)] = 72
    """How long doubtful words may wait for somebody; then they were a no."""
