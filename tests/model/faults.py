"""Faults planted into a house that runs in this process, each of which the machine has to notice.

A few are planted with every run of the tests, all of them with PERMESSO_TEST_FAULTS=all.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from services.consent import check, policy
from services.consent.queries import checks, ledger, questions, suppression
from services.dispatcher import singles as singles_service
from services.dispatcher.deliver import DeliveryRunner
from services.dispatcher.queries import singles
from services.gateway import webhooks
from shared.contracts.consent import Scope

Patch = pytest.MonkeyPatch


def a_late_yes_counts(patch: Patch) -> None:
    """A yes that was overtaken by a no, or by a pause, counts when it arrives."""
    patch.setattr(policy, "grants_again", lambda *_, **__: True)


def an_end_is_ignored(patch: Patch) -> None:
    """A check does not look at the end of a yes."""
    blind = {
        kind: statement.replace("s.expires_at <= now()", "false")
        for kind, statement in checks._CHECKS.items()
    }
    patch.setattr(checks, "_CHECKS", blind)


def a_stop_leaves_the_topics(patch: Patch) -> None:
    """Whoever refuses marketing keeps the topics that they had agreed to."""
    nothing = "SELECT $1::uuid, $2::uuid, $3::uuid, $4::text, $5::text"
    patch.setattr(ledger, "_FOLLOW", nothing)


def a_stop_ends_at_its_account(patch: Patch) -> None:
    """A STOP does not reach the brand's other account on the channel."""
    patch.setitem(policy._REACHES, Scope.CHANNEL, "account")  # type: ignore[arg-type]


def a_repeat_is_news(patch: Patch) -> None:
    """A webhook that comes again is carried out again, under another id."""
    patch.setattr(webhooks, "_storable", lambda _: uuid4().hex)


def the_erased_are_forgotten(patch: Patch) -> None:
    """Nothing is kept of an erased person, not even their no."""

    async def keep(*_: Any, **__: Any) -> None:
        return None

    patch.setattr(suppression, "keep", keep)


def a_file_overrules_a_no(patch: Patch) -> None:
    """A row of a file is a yes whatever its person said before."""
    patch.setattr(policy, "suppressed", lambda *_, **__: None)


def nobody_asks_for_consent(patch: Patch) -> None:
    """The dispatcher sends without asking."""

    async def ask(_: Any, batch: Any) -> Any:
        return [(message, None) for message in batch]

    async def ask_first(*_: Any) -> Any:
        return singles_service._Permission()

    patch.setattr(DeliveryRunner, "_ask", ask)
    patch.setattr(singles_service, "_ask", ask_first)


def a_pause_is_ignored(patch: Patch) -> None:
    """Who asked for a pause is written to."""
    _answer(patch, lambda facts: {**facts, "paused": False})


def pending_is_enough(patch: Patch) -> None:
    """A yes in a chat permits before its notice was answered."""
    _answer(patch, lambda facts: {**facts, "status": facts["status"] and _whole(facts["status"])})


def a_block_is_ignored(patch: Patch) -> None:
    """Who blocked the account is taken to be in reach."""
    _answer(patch, lambda facts: {**facts, "blocked": False})


def a_question_waits_for_ever(patch: Patch) -> None:
    """A yes answers a question that ran out, or was asked after it."""
    patch.setattr(policy, "answers", lambda **_: True)


def a_stop_leaves_the_question(patch: Patch) -> None:
    """The button below a notice confirms although its person said STOP meanwhile."""

    async def close(*_: Any, **__: Any) -> None:
        return None

    patch.setattr(questions, "close", close)


def everything_is_sent_twice(patch: Patch) -> None:
    """What a brand sends is queued twice, and only one of them is told to it."""
    insert = singles.insert

    async def twice(connection: Any, **facts: Any) -> None:
        await insert(connection, **facts)
        if facts["purpose"] != "reply":
            await insert(connection, **{**facts, "message_id": uuid4()})

    patch.setattr(singles, "insert", twice)


def _answer(patch: Patch, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Let the policy answer by other facts than there are."""
    permitted = policy.permitted

    def answered(status: str | None, **facts: bool) -> policy.Permitted:
        return permitted(**change({"status": status, **facts}))

    patch.setattr(policy, "permitted", answered)
    for key in check._ANSWERS:
        status, *flags = key
        facts = dict(zip(("blocked", "expired", "paused"), map(bool, flags), strict=True))
        patch.setitem(check._ANSWERS, key, answered(status, **facts))


def _whole(status: str) -> str:
    return "granted" if status == "pending" else status


FAULTS: dict[str, Callable[[Patch], None]] = {
    fault.__name__: fault
    for fault in (
        a_late_yes_counts,
        an_end_is_ignored,
        a_stop_leaves_the_topics,
        a_stop_ends_at_its_account,
        a_repeat_is_news,
        the_erased_are_forgotten,
        a_file_overrules_a_no,
        nobody_asks_for_consent,
        a_pause_is_ignored,
        pending_is_enough,
        a_block_is_ignored,
        a_question_waits_for_ever,
        a_stop_leaves_the_question,
        everything_is_sent_twice,
    )
}
ALWAYS = ("a_late_yes_counts", "a_repeat_is_news", "everything_is_sent_twice")
"""Planted with every run: one in what is decided, one in what comes in, one in what leaves."""
