"""What the consent service is told by its environment."""

from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """The common settings, under `CONSENT_`."""

    model_config = SettingsConfigDict(env_prefix="CONSENT_")

    port: int = 8081
    pool_size: int = 20
    """Connections to PostgreSQL, for each of the two pools."""
