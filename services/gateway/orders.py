"""A brand's revocation or pause goes the way of a person's STOP: stored first, then carried out.

So the caller may go away, and this process may die: whoever takes over the slice carries it out.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from services.gateway.inbox import Inbox
from services.gateway.intake import Arrival, Intake, IntakeFull, person_key
from services.gateway.letters import API
from services.gateway.rows import Finished
from shared import clock
from shared.contracts.base import Contract
from shared.contracts.consent import ConsentEventIn, ConsentRecorded, RecordedState
from shared.contracts.merges import MergeIn
from shared.problems import Problem

IN_FORCE_WITHIN: Final = 15.0
"""Seconds to wait; with a healthy database it is six at most, and ordinarily much less."""


class ConsentReceipt(Contract):
    """What proves it: the entry in the registry's ledger."""

    consent_event_id: UUID
    seq: int
    person_id: UUID
    recorded_at: datetime


NO_ACCOUNT: Final = UUID(int=0)
"""Stands for the account of an order that is about a person on all of them."""
_REFUSALS: Final[dict[str, tuple[int, str]]] = {
    "unknown_person": (404, "There is no person of this id."),
    "already_merged": (409, "One of the two was merged into somebody before: `merged_into` says."),
    "nowhere_known": (409, "A person without any address cannot be merged."),
}
"""What the registry refuses for good, and how the caller is told."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the registry recorded."""

    state: RecordedState
    reason: str | None
    paused_until: datetime | None
    receipt: ConsentReceipt

    @classmethod
    def of(cls, recorded: ConsentRecorded) -> "Result":
        """Read the registry's own answer."""
        return cls._read(recorded.model_dump(mode="json"))

    @classmethod
    def of_row(cls, events: object) -> "Result":
        """Read what the worker kept with its row."""
        kept = cast(dict[str, dict[str, object]], events)
        return cls._read(kept["recorded"])

    @classmethod
    def _read(cls, recorded: dict[str, object]) -> "Result":
        receipt = ConsentReceipt.model_validate(
            {
                "consent_event_id": recorded["id"],
                "seq": recorded["seq"],
                "person_id": recorded["person_id"],
                "recorded_at": recorded["effective_at"],
            }
        )
        until = cast(str | None, recorded.get("paused_until"))
        return cls(
            cast(RecordedState, recorded["state"]),
            cast(str | None, recorded["reason"]),
            datetime.fromisoformat(until) if until is not None else None,
            receipt,
        )


async def put_in(intake: Intake, event: ConsentEventIn) -> None:
    """Store a revocation; from then on it will be carried out."""
    # A queue of its own: a revocation must not wait for what the person wrote before.
    # A START among that is older by its own time, and changes nothing after it.
    person = person_key(event.account_id, f"{API}/{event.address}")
    await _store(intake, event, event.account_id, person)


async def _store(
    intake: Intake, order: ConsentEventIn | MergeIn, account_id: UUID, person: int
) -> None:
    try:
        await intake.store(
            Arrival(
                id=order.id,
                brand_id=order.brand_id,
                account_id=account_id,
                channel=API,
                dedupe=f"{API}/{order.id}",
                person=person,
                request="{}",
                body=order.model_dump_json().encode(),
                received_at=clock.now(),
            )
        )
    except IntakeFull as error:
        raise Problem(
            503, "overloaded", "Too much is waiting already.", headers={"Retry-After": "1"}
        ) from error


async def carry_out(intake: Intake, inbox: Inbox, event: ConsentEventIn) -> Result:
    """Return when the revocation is in force."""
    with inbox.expecting(event.id) as finished:
        await put_in(intake, event)
        return await _in_force(inbox, event, finished)


async def carry_out_merge(intake: Intake, inbox: Inbox, order: MergeIn) -> Result:
    """Return when a no of either person is in force for both; else as a revocation."""
    with inbox.expecting(order.id) as finished:
        person = person_key(order.kept_id, f"{API}/merge")
        await _store(intake, order, NO_ACCOUNT, person)
        return await _in_force(inbox, order, finished)


async def _in_force(
    inbox: Inbox, order: ConsentEventIn | MergeIn, finished: asyncio.Future[Finished]
) -> Result:
    inbox.hurry()
    try:
        async with asyncio.timeout(IN_FORCE_WITHIN):
            ended = await inbox.wait_for(order.brand_id, order.id, finished)
    except TimeoutError as error:
        raise _pending() from error
    if ended.state == "dead":
        code = (ended.reason or "").removeprefix("refused:")
        status, detail = _REFUSALS.get(code, (422, "The registry refused this."))
        raise Problem(status, code or "refused", detail)
    return Result.of_row(ended.events)


def _pending() -> Problem:
    return Problem(
        503,
        "revocation_pending",
        "The revocation is stored and will be carried out; it is not known to be in force yet. "
        "Ask again with the same Idempotency-Key.",
        headers={"Retry-After": "5"},
    )
