"""Where the sandbox listens, and whether it keeps its log."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """From the environment, each name beginning with `SANDBOX_`."""

    model_config = SettingsConfigDict(env_prefix="SANDBOX_", frozen=True)

    host: str = "127.0.0.1"
    port: int = 8090
    log: bool = True
    """Keep the log of calls; a long load run may do without."""
