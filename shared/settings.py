"""What every service is told by its environment, under a prefix of its own."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

LogLevel = Literal["debug", "info", "warning", "error"]


def _listed(value: object) -> object:
    if isinstance(value, str):
        return tuple(each.strip() for each in value.split(",") if each.strip())
    return value


KeyList = Annotated[
    tuple[SecretStr, ...], NoDecode, BeforeValidator(_listed), Field(min_length=1, max_length=20)
]
"""Secrets that do one work, comma-separated: the last one is in use, the others are still known."""


# An error at start must name the field and never show its value.
_COMMON = SettingsConfigDict(
    frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
)


class ServiceSettings(BaseSettings):
    """The settings that all services share; each adds its own and says its prefix.

    Made once, where the process starts, and handed down: no other module reads the environment.
    A secret has no default, so a service that lacks one does not start.
    """

    model_config = _COMMON

    database_url: SecretStr
    """PostgreSQL as this service's own role: postgresql://role:password@host:port/name"""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Where /metrics is served; 0 serves none. Not for publishing."""
    metrics_host: str = "127.0.0.1"
    consent_url: str = "http://127.0.0.1:8081"
    """Where the consent service is; that service itself does not look."""
    dispatcher_url: str = "http://127.0.0.1:8082"
    """Where the dispatcher is; only the gateway looks."""
    service_key: SecretStr
    """The Ed25519 seed (base64) by which this service proves who it is to the others."""
    service_public_keys: dict[str, str] = {}
    """The public keys (base64) of the services that may call this one, by name; JSON."""
    sealing_keys: dict[str, SecretStr]
    """Keys (base64 of 32 bytes) that stored secrets are under, by key id; JSON, last = current."""
    allowed_addresses: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = ()
    """Loopback and private targets that may be called all the same: host:port, comma-separated."""
    log_level: LogLevel = "info"

    def sealing_keys_plain(self) -> dict[str, str]:
        """Return the sealing keys for `Sealer.from_base64`."""
        return {name: key.get_secret_value() for name, key in self.sealing_keys.items()}


class MigrateSettings(BaseSettings):
    """What `permesso migrate` is told."""

    model_config = SettingsConfigDict(**_COMMON, env_prefix="MIGRATE_")

    database_url: SecretStr
    """PostgreSQL as the owner of the schemas, who may create roles."""
    role_passwords: dict[str, SecretStr] = {}
    """Passwords to set, by role; JSON. A role that is not named keeps its own."""

    def passwords(self) -> dict[str, str]:
        """Return the passwords as plain text."""
        return {role: each.get_secret_value() for role, each in self.role_passwords.items()}
