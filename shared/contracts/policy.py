"""What a brand asks of itself beyond its country. What is left out is as the law has it."""

from typing import Annotated

from pydantic import Field

from shared.contracts.base import Contract


class BrandPolicy(Contract):
    """The rules of one brand; `null` stands for what its country asks for."""

    double_opt_in: bool | None = None
    """A yes in a chat counts once the notice was answered. On by itself in Italy."""
    review_hours: Annotated[int, Field(ge=1, le=720)] = 72
    """How long doubtful words may wait for somebody; then they were a no."""
