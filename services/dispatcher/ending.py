"""The end of a campaign's story: list what was sent, and say when all of it was taken back.

A story is over for a person so many seconds after their own message was sent. So nothing is over
before `expires_after` has passed since the launch; then the campaign's messages are listed page by
page, each with its own moment, and `taking_back` carries them out. What may still be sent cannot be
over before the same time has passed again: it is listed for a look at that moment.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from services.dispatcher import events
from services.dispatcher.desk import Desk
from services.dispatcher.queries import ending as queries
from services.dispatcher.queries.ending import CursorMoved, Facts, Line
from services.dispatcher.work import DONE, later
from shared import clock, failpoints
from shared.ids import derived_id

log = structlog.get_logger()

PAGE = 500
SLICE = 1.0
"""Seconds that one step lists before other things have their turn."""
_AT_LEAST = timedelta(seconds=5)
LOOK_AGAIN = timedelta(minutes=1)
"""After the next message was due: should nobody have taken it back, it is asked for again."""


async def plan(
    connection: asyncpg.Connection,
    brand_id: UUID,
    campaign_id: UUID,
    *,
    launched_at: datetime,
    expires_after: int | None,
) -> None:
    """Remember that a launched campaign's story ends, in the caller's transaction.

    What the brand changes of the story later does not change this campaign.
    """
    if expires_after is None:
        return
    await queries.insert(
        connection, brand_id=brand_id, campaign_id=campaign_id, expires_after=expires_after
    )
    due_at = launched_at + timedelta(seconds=expires_after)
    await later(connection, brand_id, "end", campaign_id, due_at=due_at)


async def end(desk: Desk, brand_id: UUID, campaign_id: UUID) -> timedelta | None:
    """Do a step towards a story's end; say when to go on."""
    until = clock.ticks() + SLICE
    while True:
        async with desk.database.connection(brand_id) as connection:
            row = await queries.find(connection, brand_id=brand_id, campaign_id=campaign_id)
        if row is None or row["ended_at"] is not None:
            return DONE
        if row["listed"]:
            return await _watch(desk, brand_id, row)
        if not await _list_page(desk, brand_id, row):
            return await _watch(desk, brand_id, row)
        await failpoints.reach("dispatcher.after_list_page")
        if clock.ticks() > until:
            return timedelta()


async def _list_page(desk: Desk, brand_id: UUID, row: Mapping[str, Any]) -> bool:
    """List one page; false when there is none now, as the campaign has to grow first.

    A pass that began when the campaign was whole is the last one.
    """
    before: dict[str, Any] | None = row["list_cursor"]
    now, span = clock.now(), timedelta(seconds=row["expires_after"])
    if before is None and row["begun_at"] is not None and now < row["begun_at"] + span:
        return False
    last = bool(before["last"] if before else row["whole"])
    after = (UUID(before["account"]), before["address"]) if before else None
    campaign_id: UUID = row["campaign_id"]
    try:
        async with desk.database.connection(brand_id) as connection:
            page = await queries.page(
                connection,
                brand_id=brand_id,
                campaign_id=campaign_id,
                day=row["day"],
                after=after,
                limit=PAGE,
            )
            ids = [message_id for message_id, _, _ in page]
            facts = await queries.facts(connection, brand_id=brand_id, message_ids=ids)
            lines = _lines(facts.values(), now, span)
            cursor = None
            if len(page) == PAGE:
                cursor = {"last": last, "account": str(page[-1][1]), "address": page[-1][2]}
            await queries.store_page(
                connection,
                brand_id=brand_id,
                campaign_id=campaign_id,
                lines=lines,
                before=before,
                after=cursor,
                listed=last and cursor is None,
                begun_at=now if before is None else None,
            )
            await _wake(connection, brand_id, lines)
    except CursorMoved:
        return True
    return True


def _lines(facts: Iterable[Facts], now: datetime, span: timedelta) -> list[Line]:
    """Return what is to be taken back, in the order of ids: two workers then never deadlock."""
    return sorted(
        Line(each.id, each.account_id, over)
        for each in facts
        if (over := over_at(each, now=now, span=span)) is not None
    )


def over_at(facts: Facts, *, now: datetime, span: timedelta) -> datetime | None:
    """Return when a message's story is over; none when nothing of it was ever sent."""
    if facts.live:
        return now + span
    if not facts.told:
        return None
    return max(each.at for each in facts.told) + span


async def _wake(connection: asyncpg.Connection, brand_id: UUID, lines: list[Line]) -> None:
    first: dict[UUID, datetime] = {}
    for line in lines:
        first[line.account_id] = min(line.over_at, first.get(line.account_id, line.over_at))
    for account_id, due_at in sorted(first.items()):
        await later(connection, brand_id, "take_back", account_id, due_at=due_at)


async def _watch(desk: Desk, brand_id: UUID, row: Mapping[str, Any]) -> timedelta | None:
    """Say that a story has ended, or when to look again."""
    now = clock.now()
    campaign_id: UUID = row["campaign_id"]
    async with desk.database.connection(brand_id) as connection:
        waiting = await queries.open_accounts(
            connection, brand_id=brand_id, campaign_id=campaign_id
        )
        done = await queries.finish(connection, brand_id=brand_id, campaign_id=campaign_id, at=now)
        for account_id, due_at in sorted(waiting.items()):
            await later(connection, brand_id, "take_back", account_id, due_at=due_at)
        if done is not None:
            data: dict[str, object] = {"campaign_id": str(campaign_id), "name": row["name"]}
            told = events.EventRow(
                id=derived_id(campaign_id, "ended"),
                type="campaign.ended",
                at=now,
                data={**data, "ended": dict(done)},
            )
            await events.record(connection, brand_id, [told])
    if done is not None:
        log.info("campaign.ended", campaign=str(campaign_id), **dict(done))
        return DONE
    moments = [each + LOOK_AGAIN for each in waiting.values()]
    if not row["listed"] and row["begun_at"] is not None:
        moments.append(row["begun_at"] + timedelta(seconds=row["expires_after"]))
    return max(min(moments, default=now) - now, _AT_LEAST)
