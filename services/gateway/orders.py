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
from shared import clock
from shared.contracts.base import Contract
from shared.contracts.consent import ConsentEventIn, ConsentRecorded, RecordedState
from shared.problems import Problem

IN_FORCE_WITHIN: Final = 15.0
"""Seconds to wait; with a healthy database it is six at most, and ordinarily much less."""


class ConsentReceipt(Contract):
    """What proves it: the entry in the registry's ledger."""

    consent_event_id: UUID
    seq: int
    person_id: UUID
    recorded_at: datetime


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
    try:
        await intake.store(
            Arrival(
                id=event.id,
                brand_id=event.brand_id,
                account_id=event.account_id,
                channel=API,
                dedupe=f"{API}/{event.id}",
                # A queue of its own: a revocation must not wait for what the person wrote before.
                # A START among that is older by its own time, and changes nothing after it.
                person=person_key(event.account_id, f"{API}/{event.address}"),
                request="{}",
                body=event.model_dump_json().encode(),
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
        inbox.hurry()
        try:
            async with asyncio.timeout(IN_FORCE_WITHIN):
                state, reason, events = await inbox.wait_for(event.brand_id, event.id, finished)
        except TimeoutError as error:
            raise _pending() from error
    if state == "dead":
        code = (reason or "").removeprefix("refused:")
        raise Problem(422, code or "refused", "The registry refused this revocation.")
    return Result.of_row(events)


def _pending() -> Problem:
    return Problem(
        503,
        "revocation_pending",
        "The revocation is stored and will be carried out; it is not known to be in force yet. "
        "Ask again with the same Idempotency-Key.",
        headers={"Retry-After": "5"},
    )
