"""Faults planted into a house of processes, each of which a checker has to notice.

One of them has its own test. The others are for seeing a checker turn red:
`PERMESSO_TEST_MUTANT=takeover_sends_again pytest tests/failures/test_crashes.py` must fail.
"""

from collections.abc import Callable
from typing import Any

import services.dispatcher.sending
from services.dispatcher import halt
from services.dispatcher.asking import Asking
from services.dispatcher.pacing import Pacer
from services.dispatcher.queries import takeovers
from services.dispatcher.window import Window
from services.gateway.intake import Intake
from shared.clients.base import ServiceUnavailable


def halt_does_not_wait() -> None:
    """A revocation is acknowledged while a message is in flight."""

    async def _do_not_wait(*_: Any) -> bool:
        return True

    halt._wait = _do_not_wait  # type: ignore[assignment]


def takeover_sends_again() -> None:
    """What was in flight when its owner died is queued again."""
    recover = takeovers.recover

    async def _send_again(connection: Any, **more: Any) -> Any:
        return await recover(connection, **{**more, "send_again": True})

    takeovers.recover = _send_again


def takeover_calls_it_sent() -> None:
    """What was in flight when its owner died is taken for sent, though some of it never left."""
    recover = takeovers.recover

    async def _call_it_sent(connection: Any, *, brand_id: Any, **more: Any) -> Any:
        rows = await recover(connection, brand_id=brand_id, **more)
        await connection.execute(
            "UPDATE dispatcher.message SET status = 'sent' WHERE brand_id = $1 AND id = ANY($2)",
            brand_id,
            [row["id"] for row in rows],
        )
        return rows

    takeovers.recover = _call_it_sent


def lanes_have_no_share() -> None:
    """A lane may fill the whole window."""

    def _take_now(window: Any, lane_id: Any, wanted: int) -> int:
        taken = min(wanted, window._free)
        window._free -= taken
        window._held[lane_id] += taken
        return taken

    Window.take_now = _take_now  # type: ignore[method-assign]


def paces_are_forgotten() -> None:
    """A lane sends as fast as it can, whatever its account may."""

    def _take(pacer: Any, wanted: int, now: float) -> int:
        return wanted

    Pacer.take = _take  # type: ignore[method-assign]


def no_answer_is_a_yes() -> None:
    """While consent is away, everybody is written to."""
    ask = Asking.ask

    async def _ask(asking: Any, batch: Any) -> Any:
        try:
            return await ask(asking, batch)
        except ServiceUnavailable:
            return [(message, None) for message in batch]

    Asking.ask = _ask  # type: ignore[method-assign]


def deadlines_are_forgotten() -> None:
    """A send begins however late it is."""
    delivery = services.dispatcher.sending.Delivery

    def _without_deadline(*facts: Any) -> Any:
        return delivery(*facts)._replace(start_before=float("inf"))

    services.dispatcher.sending.Delivery = _without_deadline  # type: ignore[assignment,misc]


def answered_before_the_commit() -> None:
    """A webhook is answered when it has been read."""

    async def _store(intake: Any, arrival: Any) -> None:
        intake.enqueue(arrival).add_done_callback(lambda future: future.exception())

    Intake.store = _store  # type: ignore[method-assign]


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__: mutant
    for mutant in (
        halt_does_not_wait,
        takeover_sends_again,
        takeover_calls_it_sent,
        lanes_have_no_share,
        paces_are_forgotten,
        no_answer_is_a_yes,
        deadlines_are_forgotten,
        answered_before_the_commit,
    )
}
