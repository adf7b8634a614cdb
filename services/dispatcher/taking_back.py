"""Take back what an account sent, once its story is over: a second's worth at a time.

Sends go first. While a campaign of the account runs, only so many calls are made as the platform
has room for beside them; otherwise half of the account's pace, so that a reply finds room. What is
taken back is no message: consent is not asked, nothing of it is counted as sent, and somebody who
said no has their chat tidied up like everybody.

Every call may be repeated, so a process that dies in the middle does some of it again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from channels.base.channel import Channel
from channels.base.outcomes import AccountBroken, OutcomeUnknown, SendError, Throttled, TryAgain
from channels.base.taking_back import Recall, SentPart, TakesBack
from services.dispatcher import tombstones
from services.dispatcher.accounts import NoSuchAccount, OpenAccount
from services.dispatcher.desk import Desk
from services.dispatcher.ending import over_at
from services.dispatcher.pacing import Bucket
from services.dispatcher.queries import ending as queries
from services.dispatcher.queries import lanes, looks, messages
from services.dispatcher.queries.ending import Facts, Result
from services.dispatcher.work import DONE, later
from shared import clock, failpoints
from shared.contracts.stories import Part

log = structlog.get_logger()

AT_ONCE = 4
"""Calls in flight: with a full window of sends they are as many as an account has connections."""
SLICE = 1.0
"""Seconds in which one step begins something new."""
MOST = 200
BROKEN_WAIT = timedelta(minutes=1)
GIVE_UP = timedelta(days=3)
"""How long after a story was over a broken account is waited for."""
BACKOFF = tuple(timedelta(minutes=m) for m in (1, 5, 30, 120, 360))


@dataclass(slots=True)
class _Step:
    """What one step shares."""

    desk: Desk
    brand_id: UUID
    account: OpenAccount
    bucket: Bucket
    parts: Mapping[UUID, Mapping[tuple[str, str], Sequence[Part]]]
    """By campaign and language, as they were frozen at the launch."""
    line: asyncio.Lock = field(default_factory=asyncio.Lock)
    until: float = 0.0
    wait: timedelta | None = None
    """The account is to be left alone for so long."""
    results: list[Result] = field(default_factory=list)

    async def turn(self) -> None:
        """Wait until one more call may be made."""
        async with self.line:
            await asyncio.sleep(self.bucket.wait(clock.ticks()))
            self.bucket.take(1, clock.ticks())


async def take_back(desk: Desk, brand_id: UUID, account_id: UUID) -> timedelta | None:
    """Do a second's worth of what is due on an account; say when to go on."""
    async with desk.database.connection(brand_id) as connection:
        rows = await queries.due(connection, brand_id=brand_id, account_id=account_id, limit=MOST)
        if not rows:
            at = await queries.next_due(connection, brand_id=brand_id, account_id=account_id)
            return DONE if at is None else max(at - clock.now(), timedelta())
        paused = await lanes.paused_for(connection, lane_id=account_id)
        ids = [row["message_id"] for row in rows]
        facts = await queries.facts(connection, brand_id=brand_id, message_ids=ids)
    try:
        account = await desk.accounts.sender(brand_id, account_id)
    except NoSuchAccount:
        await _settle(desk, brand_id, [Result(i, "kept", "account_gone") for i in ids])
        return timedelta()
    if paused > 0:
        return timedelta(seconds=paused)
    step = await _step(desk, brand_id, account_id, account, facts)
    try:
        await _work(step, rows, facts)
    finally:
        await failpoints.reach("dispatcher.after_take_back")
        await _settle(desk, brand_id, step.results)
    return step.wait if step.wait is not None else timedelta()


async def _step(
    desk: Desk,
    brand_id: UUID,
    account_id: UUID,
    account: OpenAccount,
    facts: Mapping[UUID, Facts],
) -> _Step:
    parts = {}
    async with desk.database.connection(brand_id) as connection:
        running = await looks.running_campaigns(
            connection, brand_id=brand_id, account_id=account_id
        )
        for campaign_id in {each.campaign_id for each in facts.values()}:
            frozen = await messages.renderings(
                connection, brand_id=brand_id, campaign_id=campaign_id, account_id=account_id
            )
            parts[campaign_id] = {
                told: [Part.model_validate(part) for part in each] for told, each in frozen.items()
            }
    rate = _rate(account.channel, account.settings, sending=bool(running))
    bucket = Bucket(rate, max(1.0, rate / 10), 0.0, clock.ticks())
    return _Step(desk, brand_id, account, bucket, parts, until=clock.ticks() + SLICE)


def _rate(channel: Channel, settings: Mapping[str, object], *, sending: bool) -> float:
    """Return the calls a second that leave room for what the account sends."""
    can, told = channel.capabilities, settings.get("per_second")
    if sending and can.take_back is not None:
        return can.take_back.beside
    return (float(told) if isinstance(told, int | float) else can.pace.per_second) / 2


async def _work(step: _Step, rows: Sequence[Any], facts: Mapping[UUID, Facts]) -> None:
    waiting = iter(rows)

    async def one_after_another() -> None:
        for row in waiting:
            if step.wait is not None or clock.ticks() > step.until:
                return
            step.results.append(await _one(step, row, facts.get(row["message_id"])))

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one_after_another())


async def _one(step: _Step, row: Any, facts: Facts | None) -> Result:
    """Return what becomes of one message."""
    message_id: UUID = row["message_id"]
    now = clock.now()
    span = timedelta(seconds=row["expires_after"])
    if facts is None:
        return Result(message_id, "kept", "forgotten")
    over = over_at(facts, now=now, span=span)
    if over is None:
        return Result(message_id, "unsent")
    if over > now:
        return Result(message_id, None, due_at=over)
    sent = [each for each in facts.told if each.known and each.platform_ids]
    if not sent:
        return Result(message_id, "kept", "unknown")
    if facts.address is None:
        return Result(message_id, "kept", "erased")
    if step.account.channel.capabilities.take_back is None:
        return Result(message_id, "kept", "not_possible")
    language = facts.language or ""
    parts = step.parts.get(facts.campaign_id, {}).get((facts.variant or "", language), ())
    if any(each.part >= len(parts) for each in sent):
        return Result(message_id, "kept", "no_rendering")
    recall = Recall(
        message_id=message_id,
        address=facts.address,
        parts=tuple(SentPart(parts[each.part], each.platform_ids, each.at) for each in sent),
        tombstone=tombstones.words(language),
    )
    return await _ask(step, row, recall, whole=len(sent) == len(facts.told))


async def _ask(step: _Step, row: Any, recall: Recall, *, whole: bool) -> Result:
    """Let the channel take a message back, and say what became of it, whatever happened there."""
    assert isinstance(step.account.sender, TakesBack)
    message_id = recall.message_id
    try:
        taken = await step.account.sender.take_back(recall, step.turn)
    except Throttled as error:
        step.wait = max(error.after, step.wait or timedelta())
        return Result(message_id, None, error.code)
    except AccountBroken as error:
        step.wait = max(BROKEN_WAIT, step.wait or timedelta())
        if clock.now() - row["over_at"] > GIVE_UP:
            return Result(message_id, "kept", "account_broken")
        return Result(message_id, None, error.code)
    except (TryAgain, OutcomeUnknown) as error:
        return _again(message_id, row["tries"], error.code)
    except SendError as error:
        return Result(message_id, "kept", error.code)
    except Exception:
        log.exception("taking_back.broke", message=str(message_id))
        return _again(message_id, row["tries"], "internal_error")
    if not whole and taken.outcome != "kept":
        # A part of it may be there all the same: nobody ever knew.
        return Result(message_id, "kept", "unknown")
    return Result(message_id, taken.outcome, taken.reason)


def _again(message_id: UUID, tries: int, code: str) -> Result:
    if tries >= len(BACKOFF):
        return Result(message_id, "kept", code)
    return Result(message_id, None, code, clock.now() + BACKOFF[tries], tried=True)


async def _settle(desk: Desk, brand_id: UUID, results: Sequence[Result]) -> None:
    if not results:
        return
    async with desk.database.connection(brand_id) as connection:
        for campaign_id in await queries.settle(connection, brand_id=brand_id, results=results):
            await later(connection, brand_id, "end", campaign_id)
