"""Intend and write: the two steps of a delivery between which nothing may come."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from uuid import UUID

import structlog

from channels.base.channel import Delivery
from channels.base.outcomes import OutcomeUnknown, SendError, Sent, TooLate, TryAgain
from services.dispatcher.accounts import Accounts, OpenAccount
from services.dispatcher.asking import Granted
from services.dispatcher.hand import Hand
from services.dispatcher.intents import Intents
from services.dispatcher.pacing import Pacer, Pacers
from services.dispatcher.parts import Parts
from services.dispatcher.queries.intents import Intent
from services.dispatcher.queries.lanes import Lane
from services.dispatcher.queries.settlements import Settlement
from services.dispatcher.queries.slips import Claimed
from services.dispatcher.settle import settle
from services.dispatcher.settler import Settled, Settler
from services.dispatcher.window import Window
from shared import clock, failpoints
from shared.clients.consent import ConsentClient
from shared.database import Database
from shared.ids import new_id

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class House:
    """What every runner of this process shares."""

    database: Database
    consent: ConsentClient
    accounts: Accounts
    parts: Parts
    window: Window
    intents: Intents
    settler: Settler
    calls: asyncio.Semaphore
    """How many calls to platforms there may be at once."""
    pacers: Pacers = field(default_factory=Pacers)
    paced: bool = True


class Flights:
    """The sends of a lane that are under way; `async with` ends when they have all landed.

    That is, when it is written down what became of them: whoever has the lane next calls unknown
    what flew and is not.

    Unlike in a task group, neither an error of the runner nor of another send breaks one off: a
    call that was cut in the middle could never be settled.
    """

    def __init__(self, window: Window, lane_id: UUID) -> None:
        """Have none; each has a slot of the lane's in the window."""
        self._window = window
        self._lane_id = lane_id
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, send: Coroutine[object, object, None]) -> None:
        """Let one begin."""
        task = asyncio.create_task(send)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            self._cancel()
        try:
            while self._tasks:
                await asyncio.wait(self._tasks)
            if not isinstance(error, asyncio.CancelledError):
                await self._window.emptied(self._lane_id)
        except asyncio.CancelledError:
            self._cancel()
            raise

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()


@dataclass(slots=True)
class Sending:
    """One lane's sends under one epoch."""

    house: House
    lane: Lane
    hand: Hand
    pacer: Pacer | None = None
    silent_until: float = 0.0
    """The platform asked for silence until then (ticks); the lane's row says so a moment later."""

    async def begin(
        self,
        flights: Flights,
        account: OpenAccount,
        group: Sequence[Granted],
        start_before: float,
    ) -> None:
        """Commit the intents of a group of one day, then start those that may go.

        The group's slots of the window are taken already; each comes back with its settlement.
        """
        attempts = [(message, new_id(), event_id) for message, event_id in group]
        try:
            going = await self.house.intents.commit(
                self.lane.brand_id,
                group[0][0].day,
                [
                    Intent(self.lane.id, self.lane.epoch, m.id, attempt_id, event_id)
                    for m, attempt_id, event_id in attempts
                ],
            )
        except BaseException:
            # Perhaps committed, and surely not sent: where it was, the settlement says so.
            for message, attempt_id, _ in attempts:
                self._settle(account, message, attempt_id, time.time(), TooLate("intent_lost"))
            raise
        if len(going) < len(group):
            # Cancelled meanwhile, or on a slip that was taken away: somebody else's to account for.
            self.house.window.give({self.lane.id: len(group) - len(going)})
            self.hand.landed(m for m, _, _ in attempts if m.id not in going)
        await failpoints.reach("dispatcher.after_intent")
        for message, attempt_id, _ in attempts:
            if message.id in going:
                flights.begin(self._send(account, message, attempt_id, start_before))

    async def _send(
        self, account: OpenAccount, message: Claimed, attempt_id: UUID, start_before: float
    ) -> None:
        """Hand one part to the platform; whatever becomes of it goes to the settler."""
        house, brand_id, account_id = self.house, self.lane.brand_id, self.lane.id
        started_at = time.time()
        try:
            part = house.parts.known(account_id, message)
            if part is None:
                part = await house.parts.of(brand_id, account_id, message)
        except SendError as error:
            outcome: Sent | SendError = error
        except Exception:
            log.exception("part.unreadable", message=str(message.id))
            outcome = TryAgain("part_unreadable")
        else:
            delivery = Delivery(
                attempt_id, message.id, message.part, message.address, part, start_before
            )
            outcome = await self._write(account, delivery)
        self._settle(account, message, attempt_id, started_at, outcome)
        if house.accounts.is_news(brand_id, account_id, outcome):
            try:
                await house.accounts.noticed(brand_id, account_id, outcome)
            except Exception:
                # The next outcome tells the same.
                log.exception("account.unnoticed", lane=str(account_id))

    async def _write(self, account: OpenAccount, delivery: Delivery) -> Sent | SendError:
        """Let the channel send, and say what became of it, whatever happened there."""
        try:
            if failpoints.ACTIVE:
                await failpoints.reach("dispatcher.before_write")
            async with self.house.calls:
                sent = await account.sender.send(delivery)
            if failpoints.ACTIVE:
                await failpoints.reach("dispatcher.after_write")
        except SendError as error:
            return error
        except Exception:
            # A bug of ours must neither lose a message nor send it twice.
            log.exception("send.broke", message=str(delivery.message_id))
            return OutcomeUnknown("internal_error")
        return sent

    def _settle(
        self,
        account: OpenAccount,
        message: Claimed,
        attempt_id: UUID,
        started_at: float,
        outcome: Sent | SendError,
    ) -> None:
        can = account.channel.capabilities
        verdict = settle(
            outcome,
            part=message.part,
            parts=message.parts,
            tries=message.attempts + 1,
            removes_doubles=can.removes_doubles,
        )
        if verdict.pause_lane is not None:
            silence = clock.ticks() + verdict.pause_lane.total_seconds()
            self.silent_until = max(self.silent_until, silence)
            if self.pacer is not None and verdict.outcome == "throttled":
                self.pacer.throttled(clock.ticks())
        settlement = Settlement(
            self.lane.id,
            message.campaign_id,
            message.id,
            attempt_id,
            message.part,
            verdict,
            started_at,
            outcome.platform_ids if isinstance(outcome, Sent) else (),
            can.tells_delivered or can.tells_read,
        )
        self.house.settler.put(Settled(self.lane.brand_id, message, settlement, self.hand.landed))
