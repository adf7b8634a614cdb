"""May these people be written to, now? Asked before every send, so it is made to be quick.

    states → a no is a no → quiet hours → a place under the caps → one use of a counted grant

Most brands have no clock to keep, and most grants are not counted: then the states are all.

The question and the answer are the contracts `PermissionQuestion` and `Permissions`; neither is
built as an object here, because making and checking five hundred of them costs more than to ask
PostgreSQL.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from prometheus_client import Counter
from pydantic import ValidationError

from services.consent import policy, timing
from services.consent.queries import checks
from services.consent.timing import Timing, Wish
from shared.contracts.consent import PermissionQuestion
from shared.database import Database
from shared.problems import Problem
from shared.wrong_fields import field_errors

_CHECKED = Counter("permesso_consent_checks_total", "Addresses that were asked about.")

_IDS = re.compile(r"[0-9a-fA-F-]*")
_PURPOSE = re.compile(r"(marketing(\.[a-z0-9_-]{1,40})?|service|measuring|reply)\Z")
_FIELDS = frozenset({"brand_id", "account_id", "purpose", "addresses"})
_ALL_FIELDS = _FIELDS | {"messages"}
_LENGTH_OF_ID = {36}
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


async def check(database: Database, question: Question) -> bytes:
    """Return the answers, in the order of the question, as JSON.

    Places and uses that messages take need not be on disk yet: a power cut that takes one back
    takes back the intent too, which is committed after it.
    """
    addresses = question.addresses
    _CHECKED.inc(len(addresses))
    if question.purpose == policy.REPLY:
        reply = policy.reply_permitted()
        return _written([_result(each, reply, None, 0) for each in addresses])
    async with database.connection(question.brand_id, durable=False) as connection:
        clock = await timing.of_brand(connection, question.brand_id, question.purpose)
        rows = await checks.states(
            connection,
            brand_id=question.brand_id,
            account_id=question.account_id,
            purposes=question.purposes,
            addresses=addresses,
            lives=clock is not None,
        )
        results = [
            _result(
                address, _ANSWERS[row[0], row[1], row[2], row[3]], event_id=row[4], seq=row[5] or 0
            )
            for address, row in zip(addresses, rows, strict=True)
        ]
        counted = [number for number, row in enumerate(rows) if row[_USES_LEFT] is not None]
        had = await _recall_uses(connection, question, counted, rows, results) if counted else ()
        if clock is not None:
            await _let_wait(connection, question, clock, rows, results)
        for number in counted:
            if number not in had:
                await _use(connection, question, number, results[number])
    return _written(results)


_USES_LEFT, _LIVES = 6, 7


async def _let_wait(
    connection: asyncpg.Connection,
    question: Question,
    clock: Timing,
    rows: Sequence[asyncpg.Record],
    results: list[dict[str, object]],
) -> None:
    """Turn each yes that has to wait into a no that says until when."""
    wishes: list[Wish] = []
    for number, row in enumerate(rows):
        if not results[number]["allowed"]:
            continue
        person_id, *lives = row[_LIVES:]
        until = clock.quiet_until(*lives) if clock.hours else None
        if until is not None:
            _wait(results[number], policy.QUIET_HOURS, until)
        else:
            wishes.append(Wish(number, person_id, question.message_id(number)))
    if wishes and clock.rules.caps:
        full = await timing.take_places(connection, question.brand_id, clock, wishes)
        for number, until in full.items():
            _wait(results[number], policy.CAPPED, until)


async def _recall_uses(
    connection: asyncpg.Connection,
    question: Question,
    counted: Sequence[int],
    rows: Sequence[asyncpg.Record],
    results: list[dict[str, object]],
) -> frozenset[int]:
    """Let messages that took a use before have it still, also where it was the last one."""
    if question.messages is None:
        return frozenset()
    asked = {UUID(question.messages[number]): number for number in counted}
    found = await checks.used_by(connection, brand_id=question.brand_id, messages=list(asked))
    had: set[int] = set()
    for message_id, event_id in found.items():
        number = asked[message_id]
        status, blocked, _, paused = rows[number][:4]
        answer = policy.permitted(
            "granted" if status == "expired" else status,
            blocked=bool(blocked),
            expired=False,
            paused=bool(paused),
        )
        results[number] |= {**_told(answer), "consent_event_id": event_id}
        had.add(number)
    return frozenset(had)


async def _use(
    connection: asyncpg.Connection, question: Question, number: int, result: dict[str, object]
) -> None:
    """Take one use of a counted grant; the answer is a no where there is none left."""
    message_id = question.message_id(number)
    if not result["allowed"] or message_id is None:
        return
    event_id = await checks.use(
        connection,
        brand_id=question.brand_id,
        account_id=question.account_id,
        purposes=question.purposes,
        address=question.addresses[number],
        message_id=message_id,
    )
    if event_id is None:
        result |= _told(policy.permitted("expired", blocked=False, expired=True))


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


def _told(answer: policy.Permitted) -> dict[str, object]:
    return {"allowed": answer.allowed, "reason": answer.reason}


def _wait(result: dict[str, object], reason: str, until: datetime) -> None:
    result |= {"allowed": False, "reason": reason, "until": until}


def _written(results: list[dict[str, object]]) -> bytes:
    return orjson.dumps({"results": results})
