"""What a brand tells us about its bot."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

_TOKEN = re.compile(r"[0-9]{1,16}:[A-Za-z0-9_-]{1,128}", re.ASCII)


class Credentials(BaseModel):
    """A bot's token, and the server that knows the bot."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, title="Telegram bot"
    )

    token: Annotated[
        SecretStr,
        Field(
            title="Token",
            description="What @BotFather gave for the bot: digits, a colon, letters.",
            examples=["1234567890:AbCdEfGhIjKlMnOpQrStUvWxYz012345678"],
            json_schema_extra={"pattern": "^[0-9]{1,16}:[A-Za-z0-9_-]{1,128}$"},
        ),
    ]
    api_base: Annotated[
        str,
        Field(
            title="Bot API server",
            description="Another server than Telegram's own: a local Bot API server, a proxy, "
            "the sandbox. The operator has to allow its address.",
            max_length=512,
            json_schema_extra={"format": "uri"},
        ),
    ] = "https://api.telegram.org"

    @field_validator("token")
    @classmethod
    def _well_formed_token(cls, token: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError("a bot's token is digits, a colon, then letters, digits, _ and -")
        return token

    @field_validator("api_base")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            port_is_fine = parts.port != 0
        except ValueError as error:
            raise ValueError("this is not a URL") from error
        if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
            raise ValueError("give a URL that begins with https:// or http:// and names a host")
        if (
            parts.username is not None
            or parts.query
            or parts.fragment
            or not url.isprintable()
            or " " in url
        ):
            raise ValueError("a user, a query or a fragment has no place in this URL")
        return url.rstrip("/")

    @property
    def bot_id(self) -> str:
        """The bot's own id on Telegram: the digits before the colon."""
        return self.token.get_secret_value().partition(":")[0]
