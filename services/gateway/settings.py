"""What the gateway is told by its environment."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from shared.settings import KeyList, ServiceSettings


class Settings(ServiceSettings):
    """GATEWAY_*; the common ones are in `shared.settings`."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    inbox_database_url: SecretStr
    """The same database as the role that may only put into the inbox."""
    public_url: str = "http://127.0.0.1:8080"
    """How platforms and people reach this gateway: the beginning of every webhook URL."""
    trusted_proxies: str = "127.0.0.1"
    """Addresses or networks of the proxies whose X-Forwarded-For is believed, comma-separated."""
    operator_key: SecretStr
    """The bearer key that may create brands."""
    key_pepper: SecretStr
    """Brands' API keys are stored as HMAC under this; a change of it ends every key."""
    link_key: KeyList
    """What links to people's own pages are sealed under, comma-separated: the last one seals new
    ones, all of them open. Without the one of a link that link ends."""
    rate_per_second: Annotated[float, Field(gt=0)] = 500.0
    """Calls a second that one API key may make at length, on each gateway process."""
    rate_burst: Annotated[int, Field(gt=0)] = 1_000
    """Calls that one API key may make at once."""
    inbox_days: Annotated[int, Field(ge=8)] = 30
    """Days that a webhook is kept after it was handled. Platforms repeat theirs for up to seven."""

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")
