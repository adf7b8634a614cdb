"""What the dispatcher is told by its environment (`DISPATCHER_…`)."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """The settings of the dispatcher."""

    model_config = SettingsConfigDict(env_prefix="DISPATCHER_")

    port: Annotated[int, Field(ge=0, le=65_535)] = 8082
    in_flight: Annotated[int, Field(ge=1, le=10_000)] = 96
    """Messages of this process between intent and settlement: what a crash can leave unknown."""
    calls: Annotated[int, Field(ge=1, le=10_000)] = 96
    """Calls to platforms at once. Each may hold a picture or a video in memory; where there are
    fewer than messages in flight, the others wait for their turn with their intent written down."""
    pacing: bool = True
    """Keep to the platforms' limits; off only for measuring against a stub."""
    pool_size: Annotated[int, Field(ge=2, le=200)] = 16
    """Connections to PostgreSQL, of each of the two kinds."""
    witness_url: str = ""
    """Where the checkpoints of the consent ledger are posted, for somebody else to keep."""
