"""What all types on the wire have in common."""

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """A frozen value on the wire; a field nobody knows is an error, not a surprise."""

    model_config = ConfigDict(frozen=True, extra="forbid")
