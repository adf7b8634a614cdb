"""Intend and write: the two steps of a delivery between which nothing may come."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from channels.base.channel import Delivery
from channels.base.outcomes import OutcomeUnknown, SendError, Sent, TooLate
from services.dispatcher.accounts import Accounts, OpenAccount
from services.dispatcher.parts import Parts
from services.dispatcher.queries import messages
from services.dispatcher.queries.lanes import Lane
from services.dispatcher.queries.messages import Claimed, Settlement
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
    settler: Settler
    paced: bool = True


@dataclass(frozen=True, slots=True)
class Sending:
    """One lane's sends under one epoch."""

    house: House
    lane: Lane

    async def begin(
        self,
        sends: asyncio.TaskGroup,
        account: OpenAccount,
        group: Sequence[tuple[Claimed, str | None]],
        start_before: float,
    ) -> None:
        """Commit the intents of a group of one day, then start those that may go.

        The group's slots of the window are taken already; each comes back with its settlement.
        """
        attempts = [(message, new_id(), event_id) for message, event_id in group]
        try:
            async with self.house.database.connection(self.lane.brand_id) as connection:
                going = await messages.intend(
                    connection,
                    brand_id=self.lane.brand_id,
                    day=group[0][0].day,
                    epoch=self.lane.epoch,
                    intents=[(m.id, attempt_id, event) for m, attempt_id, event in attempts],
                )
        except BaseException:
            # Perhaps committed, and surely not sent: where it was, the settlement says so.
            for message, attempt_id, _ in attempts:
                self._settle(account, message, attempt_id, clock.now(), TooLate("intent_lost"))
            raise
        self.house.window.give(len(group) - len(going))
        await failpoints.reach("dispatcher.after_intent")
        for message, attempt_id, _ in attempts:
            if message.id in going:
                sends.create_task(self._send(account, message, attempt_id, start_before))

    async def _send(
        self, account: OpenAccount, message: Claimed, attempt_id: UUID, start_before: float
    ) -> None:
        """Hand one part to the platform; whatever becomes of it goes to the settler."""
        started_at = clock.now()
        outcome: Sent | SendError
        try:
            part = await self.house.parts.of(self.lane.brand_id, self.lane.id, message)
            await failpoints.reach("dispatcher.before_write")
            outcome = await account.sender.send(
                Delivery(
                    attempt_id=attempt_id,
                    message_id=message.id,
                    part_number=message.part,
                    address=message.address,
                    part=part,
                    start_before=start_before,
                )
            )
            await failpoints.reach("dispatcher.after_write")
        except SendError as error:
            outcome = error
        except Exception:
            # A bug of ours must neither lose a message nor send it twice.
            log.exception("send.broke", message=str(message.id))
            outcome = OutcomeUnknown("internal_error")
        self._settle(account, message, attempt_id, started_at, outcome)
        await self.house.accounts.noticed(self.lane.brand_id, self.lane.id, outcome)

    def _settle(
        self,
        account: OpenAccount,
        message: Claimed,
        attempt_id: UUID,
        started_at: datetime,
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
        settlement = Settlement(
            message_id=message.id,
            day=message.day,
            attempt_id=attempt_id,
            part=message.part,
            status=verdict.status,
            outcome=verdict.outcome,
            code=verdict.code,
            wait=verdict.wait.total_seconds(),
            advance=verdict.advance,
            costs_attempt=verdict.costs_attempt,
            started_at=started_at,
            platform_ids=verdict.platform_ids,
        )
        self.house.settler.put(
            Settled(
                brand_id=self.lane.brand_id,
                account_id=self.lane.id,
                channel=account.channel.name,
                tells_receipts=can.tells_delivered or can.tells_read,
                message=message,
                settlement=settlement,
                verdict=verdict,
            )
        )
