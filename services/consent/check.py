"""May these people be written to, now? Asked before every send, so it is made to be quick.

The question and the answer are the contracts `PermissionQuestion` and `Permissions`; neither is
built as an object here, because making and checking five hundred of them costs more than to ask
PostgreSQL.
"""

import re
from dataclasses import dataclass
from uuid import UUID

import orjson
from prometheus_client import Counter
from pydantic import ValidationError

from services.consent import policy
from services.consent.queries import checks
from shared.contracts.consent import PermissionQuestion
from shared.database import Database
from shared.problems import Problem
from shared.wrong_fields import field_errors

_CHECKED = Counter("permesso_consent_checks_total", "Addresses that were asked about.")

_PURPOSE = re.compile(r"(marketing(\.[a-z0-9_-]{1,40})?|service|measuring|reply)\Z")
_FIELDS = frozenset({"brand_id", "account_id", "purpose", "addresses"})
_MOST = 1_000
_LONGEST = 256

# Every answer there is, decided once by the policy.
_ANSWERS = {
    (status, blocked, expired, paused): policy.permitted(
        status, blocked=bool(blocked), expired=bool(expired), paused=bool(paused)
    )
    for status in (None, "granted", "pending", "revoked", "expired")
    for blocked in (None, False, True)
    for expired in (None, False, True)
    for paused in (None, False, True)
}


@dataclass(frozen=True, slots=True)
class Question:
    """A `PermissionQuestion` that was checked without being one."""

    brand_id: UUID
    account_id: UUID
    purpose: str
    addresses: list[str]


def read_question(body: bytes) -> Question:
    """Return the question in a body; raise a `Problem` that says what is wrong with it."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, "malformed_json", "The body is not valid JSON in UTF-8.") from error
    try:
        addresses = asked["addresses"]
        # `join` refuses whatever is not a text, and finds a NUL in all of them at once.
        sound = (
            asked.keys() == _FIELDS
            and type(addresses) is list
            and len(addresses) <= _MOST
            and "\0" not in "".join(addresses)
            and (not addresses or (min(map(len, addresses)) > 0))
            and (not addresses or max(map(len, addresses)) <= _LONGEST)
            and _PURPOSE.match(asked["purpose"])
        )
        if sound:
            return Question(
                UUID(asked["brand_id"]), UUID(asked["account_id"]), asked["purpose"], addresses
            )
    except (TypeError, KeyError, ValueError, AttributeError):
        pass
    raise _what_is_wrong(body)


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


async def check(database: Database, question: Question) -> bytes:
    """Return the answers, in the order of the question, as JSON."""
    addresses = question.addresses
    _CHECKED.inc(len(addresses))
    if question.purpose == policy.REPLY:
        reply = policy.reply_permitted()
        return _written([_result(each, reply, None, 0) for each in addresses])
    async with database.connection(question.brand_id) as connection:
        rows = await checks.states(
            connection,
            brand_id=question.brand_id,
            account_id=question.account_id,
            purposes=policy.purposes_asked(question.purpose),
            addresses=addresses,
        )
    return _written(
        [
            _result(address, _ANSWERS[status, blocked, expired, paused], event_id, seq or 0)
            for address, (status, blocked, expired, paused, event_id, seq) in zip(
                addresses, rows, strict=True
            )
        ]
    )


def _result(
    address: str, answer: policy.Permitted, event_id: str | None, seq: int
) -> dict[str, object]:
    return {
        "address": address,
        "allowed": answer.allowed,
        "reason": answer.reason,
        "consent_event_id": event_id,
        "seq": seq,
    }


def _written(results: list[dict[str, object]]) -> bytes:
    return orjson.dumps({"results": results})
