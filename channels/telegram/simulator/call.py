"""One call of the Bot API: its parameters, however they came, and a digest of what it says."""

from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

import orjson

from channels.base.simulator.requests import Upload, multipart
from channels.telegram.simulator.errors import bad_request
from channels.telegram.simulator.state import Bot

_STRUCTURES = frozenset(
    (
        "allowed_updates",
        "caption_entities",
        "commands",
        "entities",
        "link_preview_options",
        "media",
        "message_ids",
        "reply_markup",
        "reply_parameters",
        "rich_message",
        "scope",
    )
)
_TRUE = ("true", "True", "1", "yes")
_NOT_CONTENT = frozenset(("chat_id", "allow_paid_broadcast", "disable_notification"))


@dataclass(slots=True)
class Call:
    """A method, for a bot, with its parameters."""

    bot: Bot
    method: str
    params: dict[str, Any]
    files: dict[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a string parameter; empty when it is not there."""
        value = self.params.get(name)
        if value is None:
            return ""
        return value if isinstance(value, str) else str(value)

    def integer(self, name: str) -> int | None:
        """Return a number; none when it is not there."""
        value = self.params.get(name)
        if value is None or value == "":
            return None
        try:
            return int(value)
        except (TypeError, ValueError) as error:
            raise bad_request(f"{name} must be a valid Integer") from error

    def flag(self, name: str) -> bool:
        """Return a boolean; false when it is not there."""
        value = self.params.get(name)
        return value is True or value in _TRUE

    def structure(self, name: str) -> Any:
        """Return an object or a list, sent as JSON or as JSON in a string."""
        value = self.params.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError as error:
            subject = "reply keyboard markup" if name == "reply_markup" else name.replace("_", " ")
            raise bad_request(f"can't parse {subject} JSON object") from error


def read_params(
    body: bytes, content_type: str, query: bytes
) -> tuple[dict[str, Any], dict[str, Upload]]:
    """Read the parameters of a request; raise ValueError when the body is not what it says."""
    params: dict[str, Any] = {}
    files: dict[str, Upload] = {}
    if query:
        params.update(parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True))
    if not body:
        return params, files
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        value = orjson.loads(body)
        if not isinstance(value, dict):
            raise ValueError("object expected")
        params.update(value)
    elif kind == "multipart/form-data":
        fields, files = multipart(body, content_type)
        params.update(fields)
    else:
        params.update(parse_qsl(body.decode("utf-8"), keep_blank_values=True))
    return params, files


def digest(method: str, params: dict[str, Any], files: dict[str, Upload]) -> bytes:
    """Return SHA-256 over what a call says, whoever it says it to.

    The same content has the same digest whether it came as JSON or as a form: structures are
    parsed, what is the default is left out, and an attached file counts by its bytes.
    """
    content: dict[str, Any] = {}
    for name, value in params.items():
        if name in _NOT_CONTENT or value is None or value is False or value in ("", "false"):
            continue
        if name in _STRUCTURES and isinstance(value, str):
            with suppress(orjson.JSONDecodeError):
                value = orjson.loads(value)
        elif not isinstance(value, str) and not isinstance(value, dict | list):
            value = "true" if value is True else str(value)
        content[name] = value
    said = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    for name, file in sorted(files.items()):
        mark = sha256(file.data).hexdigest().encode()
        attached = b"attach://" + name.encode()
        said = said.replace(attached, mark) if attached in said else said + mark
    return sha256(method.encode() + b"\0" + said).digest()
