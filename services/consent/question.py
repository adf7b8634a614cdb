"""The question before every send, read without building the contract that it is.

Making and checking a `PermissionQuestion` of five hundred addresses costs more than to answer it.
"""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError

from services.consent import policy
from shared.contracts.consent import PermissionQuestion
from shared.problems import Problem
from shared.wrong_fields import field_errors

_IDS = re.compile(r"[0-9a-fA-F-]*")
_PURPOSE = re.compile(r"(marketing(\.[a-z0-9_-]{1,40})?|service|measuring|reply)\Z")
_FIELDS = frozenset({"brand_id", "account_id", "purpose", "addresses"})
_ALL_FIELDS = _FIELDS | {"messages"}
_LENGTH_OF_ID = {36}
_MOST = 1_000
_LONGEST = 256


@dataclass(frozen=True, slots=True)
class Question:
    """A `PermissionQuestion` that was checked without being one."""

    brand_id: UUID
    account_id: UUID
    purpose: str
    addresses: list[str]
    messages: list[str] | None = None

    @property
    def purposes(self) -> tuple[str, ...]:
        """The purposes that decide."""
        return policy.purposes_asked(self.purpose)

    def message_id(self, number: int) -> UUID | None:
        """Return what the address of this number would get, where a message was named."""
        return None if self.messages is None else UUID(self.messages[number])


def read_question(body: bytes) -> Question:
    """Return the question in a body; raise a `Problem` that says what is wrong with it."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, "malformed_json", "The body is not valid JSON in UTF-8.") from error
    try:
        addresses, messages = asked["addresses"], asked.get("messages")
        # `join` refuses whatever is not a text, and finds a NUL in all of them at once.
        sound = (
            asked.keys() in (_FIELDS, _ALL_FIELDS)
            and type(addresses) is list
            and len(addresses) <= _MOST
            and "\0" not in "".join(addresses)
            and (not addresses or (min(map(len, addresses)) > 0))
            and (not addresses or max(map(len, addresses)) <= _LONGEST)
            and _PURPOSE.match(asked["purpose"])
            and (messages is None or _name_each(messages, addresses))
        )
        if sound:
            return Question(
                UUID(asked["brand_id"]),
                UUID(asked["account_id"]),
                asked["purpose"],
                addresses,
                messages,
            )
    except (TypeError, KeyError, ValueError, AttributeError):
        pass
    raise _what_is_wrong(body)


def _name_each(messages: Any, addresses: list[str]) -> bool:
    """Is there one id for each address? What is in them is read where it is needed."""
    return (
        type(messages) is list
        and len(messages) == len(addresses)
        and set(map(len, messages)) <= _LENGTH_OF_ID
        and _IDS.fullmatch("".join(messages)) is not None
    )


def _what_is_wrong(body: bytes) -> Problem:
    """Ask the contract itself, which is slow and says it well."""
    try:
        PermissionQuestion.model_validate_json(body)
    except ValidationError as error:
        errors = field_errors(error.errors())
    else:
        message = "An address holds no NUL, and an id is written in its usual form."
        errors = [{"pointer": "/addresses", "message": message}]
    return Problem(422, "invalid", "Some fields are wrong.", errors=errors)
