"""What the consent service is told by its environment."""

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from shared.settings import KeyList, ServiceSettings


class Settings(ServiceSettings):
    """The common settings, under `CONSENT_`."""

    model_config = SettingsConfigDict(env_prefix="CONSENT_")

    port: int = 8081
    pool_size: int = 20
    """Connections to PostgreSQL, for each of the two pools."""
    ledger_key: SecretStr
    """The Ed25519 seed (base64) that signs the checkpoints of every brand's log."""
    suppression_key: KeyList
    """32 random bytes (base64) by which addresses of erased people are known again. One may be
    added at the end, after a comma; none may be taken away, or the service does not start."""
    ledger_origin: str = "permesso.local/ledger"
    """What the names of the logs begin with; the brand's id follows. Never changed once in use."""
