"""What a brand may choose for an account of any channel; a channel adds its own to it."""

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator


class AccountSettings(BaseModel):
    """Choices that every channel has."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="Account")

    per_second: Annotated[
        float | None,
        Field(
            gt=0,
            le=10_000,
            title="Messages per second",
            description="Where the platform allows this account more or less than usual.",
        ),
    ] = None
    timezone: Annotated[
        str | None,
        Field(
            max_length=64,
            title="Time zone",
            description="For people whose own is not known, such as Europe/Rome; UTC otherwise.",
        ),
    ] = None

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (KeyError, ValueError, OSError) as error:
                raise ValueError("this is not a time zone, such as Europe/Rome") from error
        return name
