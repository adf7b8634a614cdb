"""Carry a person's no to its end: recorded, halted, and only then confirmed.

A revocation is acknowledged when the dispatcher says that nothing of this person is in flight, or
when TTL + margin have passed since consent committed: by then whatever was permitted before is too
late to start. So a dead or frozen dispatcher delays an answer, and never makes it false.
"""

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram

from services.gateway.breaker import Breaker
from shared import clock
from shared.clients.base import ServiceRefused, ServiceUnavailable
from shared.clients.consent import ConsentClient
from shared.clients.dispatcher import DispatcherClient
from shared.contracts.consent import ConsentEventIn, ConsentRecorded
from shared.contracts.halts import Halt, HaltTarget
from shared.contracts.merges import MergeIn, MoveIn

log = structlog.get_logger()

IN_FORCE_AFTER: Final = 6.0
"""Seconds: a permission's TTL (5) and a margin (1)."""
_TARGETS = 1_000
_PAUSE = 0.1
_ONCE_MORE_WITHIN = 1.0

_SECONDS = Histogram(
    "permesso_revocation_seconds",
    "From the commit in the registry until a revocation was in force.",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 6, 7, 10),
)
_WAITED_OUT = Counter(
    "permesso_revocations_waited_out_total", "Revocations in force by time, not by halt."
)


@dataclass(frozen=True, slots=True)
class Silenced:
    """A revocation that is in force."""

    recorded: ConsentRecorded
    unsettled: tuple[Halt, ...] = ()
    """Halts that the dispatcher did not confirm; nothing depends on them but tidy queues."""


@dataclass(frozen=True)
class Revoker:
    """Records revocations and halts what is on its way."""

    consent: ConsentClient
    dispatcher: DispatcherClient
    registry: Breaker

    async def record(self, event: ConsentEventIn) -> ConsentRecorded:
        """Let the registry know what a person said."""
        async with self.registry:
            return await self.consent.record(event)

    async def carry(self, event: ConsentEventIn) -> Silenced:
        """Return when nothing more starts; raises `ServiceUnavailable` if consent is away.

        A pause is carried like a revocation. What turns out to be neither is recorded, and that is
        all.
        """
        return await self._silence(event.brand_id, await self.record(event))

    async def merge(self, order: MergeIn) -> Silenced:
        """Let two persons be one; a no of either is carried to its end as any other."""
        async with self.registry:
            recorded = await self.consent.merge(order)
        return await self._silence(order.brand_id, recorded)

    async def move(self, order: MoveIn) -> ConsentRecorded:
        """Let the registry know a person's new address."""
        async with self.registry:
            return await self.consent.move(order)

    async def _silence(self, brand_id: UUID, recorded: ConsentRecorded) -> Silenced:
        if recorded.state not in ("revoked", "paused"):
            return Silenced(recorded)
        # Read after the commit, so the time that has to pass is never counted too short.
        begun_at = clock.ticks()
        halts = _halts(brand_id, recorded)
        unsettled = await self._halt_until(halts, begun_at + IN_FORCE_AFTER)
        _SECONDS.observe(clock.ticks() - begun_at)
        if unsettled:
            _WAITED_OUT.inc()
        log.info(
            "revocation.in_force",
            consent_event=str(recorded.id),
            seq=recorded.seq,
            settled=not unsettled,
            took=round(clock.ticks() - begun_at, 3),
        )
        return Silenced(recorded, tuple(unsettled))

    async def halt_once_more(self, halts: tuple[Halt, ...]) -> None:
        """Tidy up behind a revocation that is in force already, if the dispatcher is back."""
        for order in halts:
            try:
                await self.dispatcher.halt(
                    order.model_copy(update={"wait_seconds": 0.0}), within=_ONCE_MORE_WITHIN
                )
            except (ServiceUnavailable, ServiceRefused) as error:
                log.warning("halt.given_up", error=type(error).__name__, seq=order.seq)
                return

    async def _halt_until(self, halts: list[Halt], until: float) -> list[Halt]:
        """Halt all of them, again and again until `until`; return those not known to be settled."""
        waiting = list(halts)
        while waiting and (left := until - clock.ticks()) > 0:
            order = waiting[0].model_copy(update={"wait_seconds": left})
            try:
                async with asyncio.timeout(left):
                    halted = await self.dispatcher.halt(order, within=left)
            except (ServiceUnavailable, ServiceRefused, TimeoutError) as error:
                log.warning("halt.unanswered", error=type(error).__name__, seq=order.seq)
                settled = False
            else:
                settled = halted.settled
            if settled:
                waiting.pop(0)
            else:
                await asyncio.sleep(max(0.0, min(_PAUSE, until - clock.ticks())))
        return waiting


def _halts(brand_id: UUID, recorded: ConsentRecorded) -> list[Halt]:
    targets = [
        HaltTarget(account_id=r.account_id, address=r.address, purposes=r.purposes)
        for r in recorded.reaches
        if r.purposes
    ]
    return [
        Halt(
            brand_id=brand_id,
            seq=recorded.seq,
            targets=tuple(targets[start : start + _TARGETS]),
        )
        for start in range(0, len(targets), _TARGETS)
    ]
