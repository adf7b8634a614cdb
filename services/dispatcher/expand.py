"""From a campaign to its messages: page by page, each page one transaction with the cursor.

Consent is asked between the transactions. Whoever stores a page moves the cursor in the same
transaction and only from where it was when the page was asked for; so a crash leaves nothing half
done, and two processes that work on one campaign cannot double a page.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from services.dispatcher import campaigns, live
from services.dispatcher.audience import Audience, Page
from services.dispatcher.desk import Desk
from services.dispatcher.lines import lines_of
from services.dispatcher.queries import campaigns as campaign_queries
from services.dispatcher.queries import expansion
from services.dispatcher.queries.accounts import AccountRow, of_brand, stays
from services.dispatcher.queries.expansion import CursorMoved, Line
from services.dispatcher.work import DONE, later
from shared import clock, failpoints
from shared.clients.base import ServiceUnavailable
from shared.contracts.campaigns import CampaignStatus

log = structlog.get_logger()

FIRST_PAGE = 500
"""Small, so that the first message leaves soon."""
PAGE = 2_000
SLICE = 1.0
"""Seconds that one step works before other things have their turn."""
ASK_AGAIN = timedelta(seconds=0.5)
"""After consent gave no answer."""
LOOK_AGAIN = timedelta(seconds=10)
"""Between two looks whether an expanded campaign is done, should nobody else notice."""

Cursor = dict[str, Any]
"""`{"account": id, "after": address}`; None at the very beginning and at the very end. Of a live
campaign also its `look`: then the end of the walk is a cursor without an account."""


@dataclass(frozen=True)
class _Plan:
    """What a step knows of its campaign."""

    desk: Desk
    brand_id: UUID
    row: Any
    accounts: dict[UUID, AccountRow]
    """Those that are still there."""
    parts: dict[UUID, dict[str, dict[str, int]]]
    """How many there are, by account, variant and language."""
    languages: dict[str, str]
    """The own one of each variant's story, as it is now."""
    excluded: dict[str, int]

    @property
    def id(self) -> UUID:
        """The campaign's."""
        found: UUID = self.row["id"]
        return found

    @cached_property
    def order(self) -> list[UUID]:
        """The accounts in the order in which they are expanded."""
        return [i for i in self.row["account_ids"] if i in self.accounts and self.parts.get(i)]


async def expand(desk: Desk, brand_id: UUID, campaign_id: UUID) -> timedelta | None:
    """Expand for about a second; say when to go on. Each store runs beside the next question."""
    plan = await _plan(desk, brand_id, campaign_id)
    if plan is None:
        return DONE
    until = clock.ticks() + SLICE
    cursor: Cursor | None = plan.row["expand_cursor"]
    if (rest := live.rest_of(cursor)) > timedelta():
        return rest
    audiences: dict[UUID, Audience] = {}
    asked = None if _is_through(cursor) else await _ask(plan, audiences, cursor)
    while asked is not None:
        page, after = asked
        async with asyncio.TaskGroup() as group:
            upcoming = (
                group.create_task(_ask(plan, audiences, after)) if after is not None else None
            )
            stored, after = await _store(plan, cursor, page, after)
        if not stored:
            return DONE
        await failpoints.reach("dispatcher.after_page")
        cursor = after
        if upcoming is None:
            break
        if clock.ticks() > until:
            return timedelta()
        asked = upcoming.result()
    if _is_through(cursor):
        return await live.turn(
            desk.database, brand_id, campaign_id, first=_next_account(plan, None)
        )
    if asked is None:
        return ASK_AGAIN
    await campaigns.finish_if_done(desk.database, brand_id, campaign_id)
    return DONE


def _is_through(cursor: Cursor | None) -> bool:
    """Say whether a look of a live campaign has come to its end."""
    return cursor is not None and "look" in cursor and cursor.get("through", False)


async def look_if_done(desk: Desk, brand_id: UUID, campaign_id: UUID) -> timedelta | None:
    """Finish an expanded campaign that nobody else found finished; wake its lanes otherwise."""
    if await campaigns.finish_if_done(desk.database, brand_id, campaign_id):
        return DONE
    async with desk.database.connection(brand_id) as connection:
        row = await campaign_queries.find_plain(
            connection, brand_id=brand_id, campaign_id=campaign_id
        )
        if row is None or row["status"] != CampaignStatus.RUNNING:
            return DONE
        await campaign_queries.wake_lanes(connection, account_ids=row["account_ids"])
    return LOOK_AGAIN


async def _plan(desk: Desk, brand_id: UUID, campaign_id: UUID) -> _Plan | None:
    async with desk.database.connection(brand_id) as connection:
        row = await campaign_queries.find_plain(
            connection, brand_id=brand_id, campaign_id=campaign_id
        )
        if row is None or row["status"] != CampaignStatus.RUNNING or row["expanded"]:
            return None
        parts = await expansion.parts_by_language(
            connection, brand_id=brand_id, campaign_id=campaign_id
        )
        accounts = {each.id: each for each in await of_brand(connection, brand_id=brand_id)}
        languages = await expansion.own_languages(
            connection, brand_id=brand_id, campaign_id=campaign_id
        )
    return _Plan(desk, brand_id, row, accounts, parts, languages, dict(row["excluded"]))


async def _ask(
    plan: _Plan, audiences: dict[UUID, Audience], cursor: Cursor | None
) -> tuple[Page, Cursor | None] | None:
    """Return the page at `cursor` and the cursor behind it; none when consent gave no answer."""
    account_id = _account(plan, cursor)
    if account_id is None or account_id not in plan.order:
        # There is no account any more, or it was deleted between two pages.
        return Page(), _begin(_next_account(plan, account_id))
    audience = audiences.setdefault(account_id, _audience(plan, account_id))
    try:
        page = await audience.page(
            cursor["after"] if cursor else None, limit=PAGE if cursor else FIRST_PAGE
        )
    except ServiceUnavailable as error:
        log.warning("expansion.waiting", campaign=str(plan.id), reason=str(error))
        return None
    if page.next is not None:
        return page, {"account": str(account_id), "after": page.next}
    return page, _begin(_next_account(plan, account_id))


async def _store(
    plan: _Plan, cursor: Cursor | None, page: Page, place: Cursor | None
) -> tuple[bool, Cursor | None]:
    """Store a page; false when somebody else did, or the campaign does not run any more.

    Returns the cursor behind it too.
    """
    account_id = _account(plan, cursor)
    row = plan.row
    page, after, excluded = _accounted(plan, cursor, page, place)
    lines: list[Line] = []
    if account_id and account_id in plan.order:
        account = plan.accounts[account_id]
        lines = lines_of(row, account, plan.parts[account_id], plan.languages, page)
    try:
        async with plan.desk.database.connection(plan.brand_id) as connection:
            new = await expansion.store_page(
                connection,
                brand_id=plan.brand_id,
                campaign_id=plan.id,
                account_id=account_id or plan.id,
                day=row["day"],
                purpose=row["purpose"],
                deadline=row["deadline"],
                lines=lines,
                before=cursor,
                after=after,
                excluded=excluded,
            )
            if lines and account_id is not None:
                await _clear_if_gone(connection, plan.brand_id, account_id)
            due = min((line.due_at for line in lines if line.withheld is None), default=None)
            if new and due is not None and account_id is not None:
                await campaign_queries.wake_lanes(connection, account_ids=[account_id], due_at=due)
            if after is None:
                look_at = clock.now() + LOOK_AGAIN
                await later(connection, plan.brand_id, "finish", plan.id, due_at=look_at)
    except CursorMoved:
        return False, None
    if account_id is not None:
        plan.desk.nudge_lane(account_id)
    return True, after


def _accounted(
    plan: _Plan, cursor: Cursor | None, page: Page, place: Cursor | None
) -> tuple[Page, Cursor | None, dict[str, int]]:
    """Return what of a page is stored, the cursor behind it, and who was left out so far."""
    if not live.is_live(plan.row):
        plan.excluded.update(_added(plan.excluded, page.excluded))
        return page, place, plan.excluded
    look = live.look_of(plan.row, cursor)
    if not look["last"]:
        # They may come to be written to while it runs.
        page = replace(
            page, excluded=_added(page.excluded, Counter(p.reason for p in page.withheld))
        )
        page = replace(page, withheld=())
    look = {**look, "counted": _added(look["counted"], page.excluded)}
    through = place is None
    if through and look["last"]:
        return page, None, look["counted"]
    shown = look["counted"] if through or not look["accepted"] else plan.excluded
    after = {"account": None, "after": None, "through": True} if place is None else place
    return page, {**after, "look": look}, shown


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(one) + Counter(other))


async def _clear_if_gone(connection: asyncpg.Connection, brand_id: UUID, account_id: UUID) -> None:
    """Let what was queued on an account be cleared away that was deleted since the plan."""
    if not await stays(connection, brand_id=brand_id, account_id=account_id):
        await later(connection, brand_id, "clear_account", account_id)


def _audience(plan: _Plan, account_id: UUID) -> Audience:
    return Audience(
        plan.desk.consent,
        brand_id=plan.brand_id,
        account_id=account_id,
        channel=plan.desk.channels[plan.accounts[account_id].channel],
        purpose=plan.row["purpose"],
        stored=plan.row["audience"],
    )


def _account(plan: _Plan, cursor: Cursor | None) -> UUID | None:
    """Return the account that a cursor is at."""
    if cursor is None:
        return _next_account(plan, None)
    return UUID(cursor["account"]) if cursor["account"] else None


def _next_account(plan: _Plan, account_id: UUID | None) -> UUID | None:
    """Return the account that comes after this one, or the first; none behind the last."""
    every: Sequence[UUID] = plan.row["account_ids"]
    begin = 0 if account_id is None else every.index(account_id) + 1
    return next((i for i in every[begin:] if i in plan.order), None)


def _begin(account_id: UUID | None) -> Cursor | None:
    return None if account_id is None else {"account": str(account_id), "after": None}
