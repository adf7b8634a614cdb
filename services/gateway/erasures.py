"""Order an erasure: stored first, like a revocation, so that no crash loses it."""

import asyncio
from typing import Final, cast
from uuid import UUID

from services.gateway.eraser import order_id
from services.gateway.house import House
from services.gateway.intake import Arrival, IntakeFull, person_key
from services.gateway.letters import API, ERASURE
from shared import clock
from shared.contracts.erasures import Erased, ErasedBy, ErasureOrder
from shared.problems import Problem

DONE_WITHIN: Final = 20.0
"""Seconds to wait; a dead dispatcher holds it up, for it must not go on knowing the person."""
_NO_ACCOUNT: Final = UUID(int=0)
"""An erasure is of no one account."""


async def put_in(house: House, brand_id: UUID, person_id: UUID, by: ErasedBy) -> UUID:
    """Store the order and return its id; from then on it will be carried out."""
    order = ErasureOrder(id=order_id(brand_id, person_id), person_id=person_id, by=by)
    arrival = Arrival(
        id=order.id,
        brand_id=brand_id,
        account_id=_NO_ACCOUNT,
        channel=API,
        dedupe=f"{ERASURE}{order.id}",
        person=person_key(_NO_ACCOUNT, str(person_id)),
        request="{}",
        body=order.model_dump_json().encode(),
        received_at=clock.now(),
    )
    try:
        await house.intake.store(arrival)
    except IntakeFull as error:
        raise Problem(
            503, "overloaded", "Too much is waiting already.", headers={"Retry-After": "1"}
        ) from error
    house.inbox.hurry()
    return order.id


async def carry_out(house: House, brand_id: UUID, person_id: UUID, by: ErasedBy) -> Erased:
    """Erase a person, and return when nothing leads to them any more.

    Raises `Problem`: 404 `unknown_person`; 503 `erasure_pending`, when it is stored and will be
    carried out, but is not done yet.
    """
    with house.inbox.expecting(order_id(brand_id, person_id)) as finished:
        inbox_id = await put_in(house, brand_id, person_id, by)
        try:
            async with asyncio.timeout(DONE_WITHIN):
                ended = await house.inbox.wait_for(brand_id, inbox_id, finished)
        except TimeoutError as error:
            raise _pending() from error
    if ended.state == "dead":
        if ended.reason == "refused:unknown_person":
            raise Problem(404, "unknown_person", "There is no such person of this brand.")
        raise Problem(503, "erasure_failed", "The erasure could not be carried out: tell us.")
    kept = cast(dict[str, object], ended.events)
    return Erased.model_validate(kept["erased"])


def _pending() -> Problem:
    return Problem(
        503,
        "erasure_pending",
        "The erasure is stored and will be carried out; it is not done yet. Ask again.",
        headers={"Retry-After": "5"},
    )
