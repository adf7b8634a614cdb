"""May these people be written to, now? Asked before every send, so it is made to be quick.

    states → a no is a no → quiet hours → a place under the caps → one use of a counted grant

Most brands have no clock to keep, and most grants are not counted: then the states are all.

The answer is the contract `Permissions`, and is written without building it.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import orjson
from prometheus_client import Counter

from services.consent import policy, timing
from services.consent.queries import checks
from services.consent.question import Question
from services.consent.timing import Timing, Wish
from shared.database import Database

_CHECKED = Counter("permesso_consent_checks_total", "Addresses that were asked about.")

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
        status, blocked, expired, paused = rows[number][:4]
        used_up = rows[number][_USES_LEFT] == 0
        answer = policy.permitted(
            "granted" if status == "expired" and used_up else status,
            blocked=bool(blocked),
            expired=bool(expired) and not used_up,
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
