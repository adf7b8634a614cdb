"""What a brand tells us about its own system."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from shared.security.standard_webhooks import new_secret, read_secret


def _new_secret() -> SecretStr:
    return SecretStr(new_secret())


class Credentials(BaseModel):
    """Where the brand's system listens, and the secret that both sign with."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, title="Webhook"
    )

    url: Annotated[
        str,
        Field(
            title="URL",
            description="Each message is posted here, signed as Standard Webhooks 1.0 says.",
            examples=["https://chat.example.com/permesso"],
            min_length=8,
            max_length=2_048,
            json_schema_extra={"format": "uri"},
        ),
    ]
    secret: Annotated[
        SecretStr,
        Field(
            title="Secret",
            description="whsec_ and 24 to 64 bytes in base64. Left out, one is made.",
        ),
    ] = Field(default_factory=_new_secret)

    @field_validator("url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            port_is_fine = parts.port != 0
        except ValueError as error:
            raise ValueError("this is not a URL") from error
        if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
            raise ValueError("give a URL that begins with https:// or http:// and names a host")
        if parts.username is not None or parts.fragment or " " in url or not url.isprintable():
            raise ValueError("a user, a fragment or a space has no place in this URL")
        return url

    @field_validator("secret")
    @classmethod
    def _well_formed_secret(cls, secret: SecretStr) -> SecretStr:
        read_secret(secret.get_secret_value())
        return secret

    @property
    def key(self) -> bytes:
        """The bytes to sign with."""
        return read_secret(self.secret.get_secret_value())
