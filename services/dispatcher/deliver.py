"""Deliver what waits on one lane: claim, ask, intend, write; the settler writes down the rest.

The steps are those of docs/protocol.md. The clock of the start deadline is read before consent is
asked; the deadline itself is checked by the sending client in the line before the socket write.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from itertools import groupby
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import structlog

from services.dispatcher import campaigns
from services.dispatcher.accounts import NoSuchAccount, OpenAccount
from services.dispatcher.pacing import Pacer
from services.dispatcher.queries import lanes, messages
from services.dispatcher.queries.lanes import Lane
from services.dispatcher.queries.messages import NO_CAMPAIGN, Claimed
from services.dispatcher.sending import Flights, House, Sending
from services.dispatcher.takeover import take_over
from shared import clock, failpoints
from shared.clients.base import ServiceUnavailable

log = structlog.get_logger()

TTL = 5.0
"""Seconds from before the question to consent until the last moment a send may start."""
CLAIM_SECONDS = 0.25
"""How much of the lane's pace one claim may hold; the protocol allows a second."""
CLAIM_AT_MOST = 500
"""Also what one question to consent may hold."""
MANAGED_AT_LEAST = 32.0
"""Messages per second that a lane is taken to manage, however slow it was: a claim and a question
for each of fewer would cost more than they."""
INTEND_AT_MOST = 32
IDLE = 1.0
"""Seconds between two looks when nothing wakes the lane."""
GONE_QUIET = 5.0
"""Seconds without work after which a runner ends; the lane is woken when something comes."""
MARGIN = 0.2
"""Seconds before the deadline at which it is not worth beginning."""

_Row = TypeVar("_Row", bound=tuple[Any, ...])
"""Something whose first field is the claimed message."""


class DeliveryRunner:
    """One account's lane, under one epoch."""

    def __init__(self, house: House, lane: Lane, lease: Callable[[], float]) -> None:
        """Deliver for `lane` as long as `lease()` (ticks) lies ahead."""
        self._house = house
        self._lane = lane
        self._lease = lease
        self._sending = Sending(house, lane)
        self._pacer: Pacer | None = None
        self._told: float | None = None
        """The pace that the account's settings asked for when the pacer was made."""
        self._turn = 0
        self._managed = float(CLAIM_AT_MOST)
        """Messages per second that this lane began in its last round."""
        self._deferring = False
        """All that was asked about last has to wait: at night, that is a whole campaign."""

    async def run(self, *, stop: asyncio.Event, wake: asyncio.Event) -> None:
        """Deliver until `stop`, until the lease ends, or until nothing has come for a while."""
        await take_over(self._house.database, self._lane)
        quiet_since = clock.ticks()
        async with Flights(self._house.window, self._lane.id) as flights:
            while not stop.is_set() and self._lease() > clock.ticks():
                wake.clear()
                rest = await self._round(flights, stop)
                if rest == 0:
                    quiet_since = clock.ticks()
                    continue
                if clock.ticks() - quiet_since > GONE_QUIET and not wake.is_set():
                    break
                await _rest(wake, rest)
        await self._sleep()

    async def _sleep(self) -> None:
        """Ask to be woken when the next message is due: a lane remembers one moment only."""
        lane = self._lane
        async with self._house.database.connection(lane.brand_id) as connection:
            at = await messages.next_due(connection, brand_id=lane.brand_id, account_id=lane.id)
            if at is not None:
                await lanes.sleep_until(connection, lane_id=lane.id, at=at)

    async def _round(self, flights: Flights, stop: asyncio.Event) -> float:
        """Deliver one batch; return how long to rest, 0 when there may be more."""
        house, lane = self._house, self._lane
        if (silence := self._sending.silent_until - clock.ticks()) > 0:
            return min(IDLE, silence)
        try:
            account = await house.accounts.sender(lane.brand_id, lane.id)
        except NoSuchAccount:
            return IDLE
        batch, queues, paused = await self._claim(account)
        if paused > 0:
            return min(IDLE, paused)
        if not batch:
            for campaign_id in queues:
                await campaigns.finish_if_done(house.database, lane.brand_id, campaign_id)
            return IDLE
        await failpoints.reach("dispatcher.after_claim")
        asked_at = clock.ticks()
        try:
            granted = await self._ask(batch)
        except ServiceUnavailable:
            log.warning("consent.unavailable", lane=str(lane.id), waiting=len(batch))
            await self._release([(m, 0.0) for m in batch])
            return 0.25
        await failpoints.reach("dispatcher.after_ask")
        deadline = asked_at + TTL
        begun = await self._send_all(flights, account, granted, deadline, stop)
        self._learn(begun, clock.ticks() - asked_at)
        return 0

    def _learn(self, begun: int, seconds: float) -> None:
        """Remember how many messages per second this lane manages to begin."""
        if seconds > CLAIM_SECONDS:
            self._managed = max(MANAGED_AT_LEAST, begun / seconds)
        else:
            self._managed = min(2 * self._managed, float(CLAIM_AT_MOST))

    async def _claim(self, account: OpenAccount) -> tuple[list[Claimed], list[UUID], float]:
        """Claim a little of the pace: single messages first, campaigns in turn.

        A reply waits for the claim before its own, so that is small. It is smaller still where
        lanes share a window or a slow machine: what is claimed and not begun before its deadline
        has to go back, and going back makes the machine slower.
        """
        lane = self._lane
        pacer = self._pacer_of(account)
        pace = min(pacer.per_second * CLAIM_SECONDS, self._managed)
        # What has to wait uses up no pace.
        left = CLAIM_AT_MOST if self._deferring else max(1, min(CLAIM_AT_MOST, int(pace)))
        batch: list[Claimed] = []
        async with self._relaxed() as connection:
            if (paused := await lanes.paused_for(connection, lane_id=lane.id)) > 0:
                return [], [], paused
            if not await messages.owns(connection, lane_id=lane.id, epoch=lane.epoch):
                return [], [], IDLE
            queues = await messages.running_campaigns(
                connection, brand_id=lane.brand_id, account_id=lane.id
            )
            self._turn += 1
            turn = self._turn % len(queues) if queues else 0
            for queue_id in [NO_CAMPAIGN, *queues[turn:], *queues[:turn]]:
                claimed = await messages.claim(
                    connection,
                    brand_id=lane.brand_id,
                    account_id=lane.id,
                    queue_id=queue_id,
                    epoch=lane.epoch,
                    limit=left,
                )
                batch += claimed
                left -= len(claimed)
                if left <= 0:
                    break
        return batch, queues, 0.0

    async def _ask(self, batch: Sequence[Claimed]) -> list[tuple[Claimed, str | None]]:
        """Ask consent about everybody of a batch.

        Those who may not be written to are withheld from, those who have to wait are deferred: but
        for what would be too late then, which is withheld for the same reason.
        """
        late = clock.now()
        withheld: list[tuple[Claimed, str, str | None]] = []
        deferred: list[tuple[Claimed, str, datetime]] = []
        asked: dict[str, list[Claimed]] = defaultdict(list)
        for message in batch:
            if message.deadline and message.deadline <= late:
                withheld.append((message, "too_late", None))
            else:
                asked[message.purpose].append(message)
        granted: list[tuple[Claimed, str | None]] = []
        for purpose, of_purpose in asked.items():
            answers = await self._house.consent.check(
                brand_id=self._lane.brand_id,
                account_id=self._lane.id,
                purpose=purpose,
                addresses=[m.address for m in of_purpose],
                messages=[m.id for m in of_purpose],
            )
            for message, answer in zip(of_purpose, answers, strict=True):
                if answer.allowed:
                    granted.append((message, answer.consent_event_id))
                elif answer.until is not None and not _ends_before(message, answer.until):
                    deferred.append((message, answer.reason, answer.until))
                else:
                    withheld.append((message, answer.reason, answer.consent_event_id))
        if withheld:
            await self._withhold(withheld)
        if deferred:
            await self._defer(deferred)
        self._deferring = len(deferred) == len(batch)
        return granted

    async def _send_all(
        self,
        flights: Flights,
        account: OpenAccount,
        granted: list[tuple[Claimed, str | None]],
        deadline: float,
        stop: asyncio.Event,
    ) -> int:
        """Intend and start what was granted, in small groups as the pace and the window allow.

        Returns how many were begun; the others went back into the queue.
        """
        ready = await self._hold_back_the_hurried(account, granted)
        # One partition per statement: a group never crosses a day.
        ready.sort(key=lambda pair: pair[0].day)
        begun = 0
        while ready:
            start_before = min(deadline, self._lease())
            now = clock.ticks()
            silent = self._sending.silent_until > now
            if stop.is_set() or silent or now > start_before - MARGIN:
                await self._release([(message, 0.0) for message, _ in ready])
                return begun
            tokens = await self._tokens(account, len(ready), start_before)
            if not tokens:
                continue
            slots = await self._slots(tokens, start_before)
            group = _same_day(ready[:slots])
            del ready[: len(group)]
            if slots > len(group):
                self._house.window.give({self._lane.id: slots - len(group)})
            self._pacer_of(account).give_back(tokens - len(group))
            if not group:
                continue
            start_before = min(deadline, self._lease())
            await self._sending.begin(flights, account, group, start_before)
            begun += len(group)
        return begun

    async def _tokens(self, account: OpenAccount, wanted: int, start_before: float) -> int:
        """Take tokens of the pace; wait for the first one, but not past the deadline."""
        wanted = min(wanted, INTEND_AT_MOST)
        if not self._house.paced:
            return wanted
        pacer = self._pacer_of(account)
        if tokens := pacer.take(wanted, clock.ticks()):
            return tokens
        now = clock.ticks()
        await asyncio.sleep(max(0.001, min(pacer.wait(now), start_before - now)))
        return 0

    async def _slots(self, wanted: int, start_before: float) -> int:
        """Take slots of the window; none when there is none while it is worth beginning."""
        if slots := self._house.window.take_now(self._lane.id, wanted):
            return slots
        try:
            async with asyncio.timeout(start_before - MARGIN - clock.ticks()):
                return await self._house.window.take(self._lane.id, wanted)
        except TimeoutError:
            return 0

    async def _hold_back_the_hurried(
        self, account: OpenAccount, granted: list[tuple[Claimed, str | None]]
    ) -> list[tuple[Claimed, str | None]]:
        """Put back those whose address may not be written to again so soon."""
        if not self._house.paced:
            return granted
        pacer, is_group, now = self._pacer_of(account), account.channel.is_group, clock.ticks()
        ready: list[tuple[Claimed, str | None]] = []
        early: list[tuple[Claimed, float]] = []
        for message, event_id in granted:
            address = message.address
            wait = pacer.address_wait(address, group=is_group(address), now=now)
            if wait > 0:
                early.append((message, wait))
            else:
                ready.append((message, event_id))
        if early:
            await self._release(early)
        return ready

    async def _withhold(self, reasons: Sequence[tuple[Claimed, str, str | None]]) -> None:
        for day, rows in _by_day(reasons):
            async with self._house.database.connection(self._lane.brand_id) as connection:
                await messages.withhold(
                    connection,
                    brand_id=self._lane.brand_id,
                    day=day,
                    epoch=self._lane.epoch,
                    reasons=[(m.id, reason, event_id) for m, reason, event_id in rows],
                )

    async def _defer(self, waits: Sequence[tuple[Claimed, str, datetime]]) -> None:
        for day, rows in _by_day(waits):
            async with self._house.database.connection(self._lane.brand_id) as connection:
                await messages.defer(
                    connection,
                    brand_id=self._lane.brand_id,
                    day=day,
                    epoch=self._lane.epoch,
                    waits=[(m.id, reason, until) for m, reason, until in rows],
                )

    async def _release(self, waits: Sequence[tuple[Claimed, float]]) -> None:
        for day, rows in _by_day(waits):
            async with self._house.database.connection(self._lane.brand_id) as connection:
                await messages.release(
                    connection,
                    brand_id=self._lane.brand_id,
                    day=day,
                    epoch=self._lane.epoch,
                    waits=[(m.id, wait) for m, wait in rows],
                )

    def _relaxed(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """Open a transaction that need not be on disk: the intent that follows brings it along.

        A claim that a server lost in a crash is in the queue again, and its intent finds nothing.
        """
        return self._house.database.connection(self._lane.brand_id, durable=False)

    def _pacer_of(self, account: OpenAccount) -> Pacer:
        """Return the lane's pacer; another one when the brand has changed the account's pace."""
        told = account.settings.get("per_second")
        per_second = float(told) if isinstance(told, int | float) and told > 0 else None
        if not self._house.paced:
            per_second = CLAIM_AT_MOST / CLAIM_SECONDS
        if self._pacer is None or self._told != per_second:
            self._told = per_second
            pace = account.channel.capabilities.pace
            self._pacer = Pacer(pace, now=clock.ticks(), per_second=per_second)
        return self._pacer


def _ends_before(message: Claimed, moment: datetime) -> bool:
    return message.deadline is not None and message.deadline <= moment


def _same_day(
    pairs: Sequence[tuple[Claimed, str | None]],
) -> list[tuple[Claimed, str | None]]:
    """Return the first of these that share the first one's day."""
    return [pair for pair in pairs if pair[0].day == pairs[0][0].day]


def _by_day(rows: Sequence[_Row]) -> list[tuple[date, list[_Row]]]:
    """Group rows by their message's day."""
    ordered = sorted(rows, key=lambda row: row[0].day)
    return [(day, list(of_day)) for day, of_day in groupby(ordered, key=lambda row: row[0].day)]


async def _rest(wake: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return
