"""Deliver what waits on one lane: claim, ask, intend, write; the settler writes down the rest.

The steps are those of docs/protocol.md. The clock of the start deadline is read before consent is
asked; the deadline itself is checked by the sending client in the line before the socket write.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from services.dispatcher import campaigns
from services.dispatcher.accounts import NoSuchAccount, OpenAccount
from services.dispatcher.asking import Asking, Granted
from services.dispatcher.hand import Hand
from services.dispatcher.pacing import Pacer
from services.dispatcher.queries import lanes, looks
from services.dispatcher.queries.lanes import Lane
from services.dispatcher.queries.looks import Look
from services.dispatcher.queries.slips import NO_CAMPAIGN, Claimed
from services.dispatcher.sending import Flights, House, Sending
from services.dispatcher.takeover import take_over
from services.dispatcher.turns import Turns
from shared import clock, failpoints
from shared.clients.base import ServiceUnavailable

log = structlog.get_logger()

TTL = 5.0
"""Seconds from before the question to consent until the last moment a send may start."""
CLAIM_SECONDS = 0.25
"""How much of the lane's pace one question may hold; the protocol allows a second."""
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


class DeliveryRunner:
    """One account's lane, under one epoch."""

    def __init__(self, house: House, lane: Lane, lease: Callable[[], float]) -> None:
        """Deliver for `lane` as long as `lease()` (ticks) lies ahead."""
        self._house = house
        self._lane = lane
        self._lease = lease
        self._hand = Hand(house.database, lane)
        self._asking = Asking(house.database, house.consent, lane, self._hand)
        self._sending = Sending(house, lane, self._hand)
        self._turns = Turns()
        self._managed = float(CLAIM_AT_MOST)
        """Messages per second that this lane began in its last round."""

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
        await self._hand.give_back()
        await self._sleep()

    async def _sleep(self) -> None:
        """Ask to be woken when the next message is due: a lane remembers one moment only."""
        lane = self._lane
        async with self._house.database.connection(lane.brand_id) as connection:
            at = await looks.next_due(connection, brand_id=lane.brand_id, account_id=lane.id)
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
        look = await self._look()
        if look.paused > 0 or not look.ours:
            return min(IDLE, look.paused) if look.ours else IDLE
        batch = await self._claim(account, look)
        await self._hand.finish()
        if not batch:
            for campaign_id in look.campaigns:
                await campaigns.finish_if_done(house.database, lane.brand_id, campaign_id)
            return IDLE
        await failpoints.reach("dispatcher.after_claim")
        asked_at = clock.ticks()
        try:
            granted = await self._asking.ask(batch)
        except ServiceUnavailable:
            log.warning("consent.unavailable", lane=str(lane.id), waiting=len(batch))
            self._hand.put_back(batch)
            return 0.25
        await failpoints.reach("dispatcher.after_ask")
        begun = await self._send_all(flights, account, granted, asked_at + TTL, stop)
        self._learn(begun, clock.ticks() - asked_at)
        return 0

    async def _look(self) -> Look:
        lane = self._lane
        async with self._house.database.statement(lane.brand_id) as connection:
            look = await looks.look(
                connection, brand_id=lane.brand_id, account_id=lane.id, epoch=lane.epoch
            )
        if look.ours and (look.strays or self._hand.is_stuck()):
            # Taken by an owner before us in the moment in which it lost the lane; or in flight
            # from before a pause, or by a settlement that could not be stored.
            await take_over(self._house.database, lane)
            self._hand.forget()
        self._hand.drop(look.campaigns)
        return look

    def _learn(self, begun: int, seconds: float) -> None:
        """Remember how many messages per second this lane manages to begin."""
        if seconds > CLAIM_SECONDS:
            self._managed = max(MANAGED_AT_LEAST, begun / seconds)
        else:
            self._managed = min(2 * self._managed, float(CLAIM_AT_MOST))

    async def _claim(self, account: OpenAccount, look: Look) -> list[Claimed]:
        """Take a little of the pace: single messages first, campaigns in turn.

        A reply waits for the batch before its own, so that is small. It is smaller still where
        lanes share a window or a slow machine: what is not begun before its deadline has to be
        asked about again.
        """
        rate = self._pacer_of(account).rate(clock.ticks())
        pace = min(rate * CLAIM_SECONDS, self._managed)
        # What has to wait uses up no pace.
        room = CLAIM_AT_MOST if self._asking.all_wait else max(1, min(CLAIM_AT_MOST, int(pace)))
        batch: list[Claimed] = []
        singles_wait = look.singles or self._hand.holds(NO_CAMPAIGN)
        if singles_wait:
            first = self._turns.singles(room, bulk_waits=bool(look.campaigns))
            batch = await self._hand.take(NO_CAMPAIGN, first)
        singles = len(batch)
        self._turns.begin(look.campaigns, room - len(batch))
        while turn := self._turns.next(room - len(batch)):
            campaign_id, wanted = turn
            taken = await self._hand.take(campaign_id, wanted)
            self._turns.took(campaign_id, len(taken), more=len(taken) == wanted)
            batch += taken
        self._turns.bulk_took(len(batch) - singles)
        if singles_wait and len(batch) < room:
            # What was kept for campaigns, and none of them wants.
            batch += await self._hand.take(NO_CAMPAIGN, room - len(batch))
        return batch

    async def _send_all(
        self,
        flights: Flights,
        account: OpenAccount,
        granted: list[Granted],
        deadline: float,
        stop: asyncio.Event,
    ) -> int:
        """Intend and start what was granted, in small groups as the pace and the window allow.

        Returns how many were begun; the others went back into the hand.
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
                self._hand.put_back([message for message, _ in ready])
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
        within = start_before - MARGIN - clock.ticks()
        return await self._house.window.take(self._lane.id, wanted, within=within)

    async def _hold_back_the_hurried(
        self, account: OpenAccount, granted: list[Granted]
    ) -> list[Granted]:
        """Put off those whose address may not be written to again so soon."""
        if not self._house.paced:
            return granted
        pacer, is_group, now = self._pacer_of(account), account.channel.is_group, clock.ticks()
        ready: list[Granted] = []
        early: list[tuple[Claimed, float]] = []
        for message, event_id in granted:
            address = message.address
            wait = pacer.address_wait(address, group=is_group(address), now=now)
            if wait > 0:
                early.append((message, wait))
            else:
                ready.append((message, event_id))
        if early:
            at = clock.now()
            await self._asking.put_off(
                [(message, None, at + timedelta(seconds=wait)) for message, wait in early]
            )
        return ready

    def _pacer_of(self, account: OpenAccount) -> Pacer:
        """Return the lane's pacer."""
        told = account.settings.get("per_second")
        per_second = float(told) if isinstance(told, int | float) and told > 0 else None
        if not self._house.paced:
            per_second = CLAIM_AT_MOST / CLAIM_SECONDS
        self._sending.pacer = self._house.pacers.of(
            self._lane.id,
            self._lane.epoch,
            account.channel.capabilities.pace,
            per_second=per_second,
            now=clock.ticks(),
        )
        return self._sending.pacer


def _same_day(pairs: Sequence[Granted]) -> list[Granted]:
    """Return the first of these that share the first one's day."""
    return [pair for pair in pairs if pair[0].day == pairs[0][0].day]


async def _rest(wake: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return
