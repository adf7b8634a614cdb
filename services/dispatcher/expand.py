"""From a campaign to its messages: page by page, each page one transaction with the cursor.

Consent is asked between the transactions. Whoever stores a page moves the cursor in the same
transaction and only from where it was when the page was asked for; so a crash leaves nothing half
done, and two processes that work on one campaign cannot double a page.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from operator import itemgetter
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from services.dispatcher import campaigns
from services.dispatcher.audience import Audience, Page
from services.dispatcher.desk import Desk
from services.dispatcher.local_time import moment_of
from services.dispatcher.queries import campaigns as campaign_queries
from services.dispatcher.queries import expansion
from services.dispatcher.queries.accounts import AccountRow, of_brand, stays
from services.dispatcher.queries.expansion import CursorMoved, Line
from services.dispatcher.renderings import choose_language
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
"""`{"account": id, "after": address}`; None at the very beginning and at the very end."""


@dataclass(frozen=True)
class _Plan:
    """What a step knows of its campaign."""

    desk: Desk
    brand_id: UUID
    row: Any
    accounts: dict[UUID, AccountRow]
    """Those that are still there."""
    parts: dict[UUID, dict[str, int]]
    language: str | None
    """The story's own, as it is now."""
    excluded: dict[str, int] = field(default_factory=dict)

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
    audiences: dict[UUID, Audience] = {}
    asked = await _ask(plan, audiences, cursor)
    while asked is not None:
        page, after = asked
        async with asyncio.TaskGroup() as group:
            upcoming = (
                group.create_task(_ask(plan, audiences, after)) if after is not None else None
            )
            stored = await _store(plan, cursor, page, after)
        if not stored:
            return DONE
        await failpoints.reach("dispatcher.after_page")
        if upcoming is None:
            await campaigns.finish_if_done(desk.database, brand_id, campaign_id)
            return DONE
        if clock.ticks() > until:
            return timedelta()
        cursor, asked = after, upcoming.result()
    return ASK_AGAIN


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
        language = await connection.fetchval(
            "SELECT language FROM dispatcher.story WHERE brand_id = $1 AND id = $2",
            brand_id,
            row["story_id"],
        )
    return _Plan(desk, brand_id, row, accounts, parts, language, dict(row["excluded"]))


async def _ask(
    plan: _Plan, audiences: dict[UUID, Audience], cursor: Cursor | None
) -> tuple[Page, Cursor | None] | None:
    """Return the page at `cursor` and the cursor behind it; none when consent gave no answer."""
    account_id = UUID(cursor["account"]) if cursor else _next_account(plan, None)
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


async def _store(plan: _Plan, cursor: Cursor | None, page: Page, after: Cursor | None) -> bool:
    """Store a page; false when somebody else did, or the campaign does not run any more."""
    account_id = UUID(cursor["account"]) if cursor else _next_account(plan, None)
    row = plan.row
    lines = _lines(plan, account_id, page) if account_id and account_id in plan.order else []
    for reason, number in page.excluded.items():
        plan.excluded[reason] = plan.excluded.get(reason, 0) + number
    try:
        async with plan.desk.database.connection(plan.brand_id) as connection:
            await expansion.store_page(
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
                excluded=plan.excluded,
            )
            if lines and account_id is not None:
                await _clear_if_gone(connection, plan.brand_id, account_id)
            due = min((line.due_at for line in lines if line.withheld is None), default=None)
            if due is not None and account_id is not None:
                await campaign_queries.wake_lanes(connection, account_ids=[account_id], due_at=due)
            if after is None:
                look_at = clock.now() + LOOK_AGAIN
                await later(connection, plan.brand_id, "finish", plan.id, due_at=look_at)
    except CursorMoved:
        return False
    if account_id is not None:
        plan.desk.nudge_lane(account_id)
    return True


async def _clear_if_gone(connection: asyncpg.Connection, brand_id: UUID, account_id: UUID) -> None:
    """Let what was queued on an account be cleared away that was deleted since the plan."""
    if not await stays(connection, brand_id=brand_id, account_id=account_id):
        await later(connection, brand_id, "clear_account", account_id)


def _lines(plan: _Plan, account_id: UUID, page: Page) -> list[Line]:
    """Return a page's messages, in the order of addresses: two workers then never deadlock."""
    parts = plan.parts[account_id]
    # A story's own language may have been changed since the launch.
    default = plan.language if plan.language in parts else next(iter(parts))
    at: datetime = plan.row["launched_at"]
    wall = plan.row["send_at"] if plan.row["recipient_local_time"] else None
    zone = str(plan.accounts[account_id].settings.get("timezone") or "UTC")
    languages: dict[str | None, str] = {}
    lines = []
    for person in page.recipients:
        language = languages.get(person.language)
        if language is None:
            language = choose_language(person.language, parts, default=default)
            languages[person.language] = language
        due_at, fell_back = (at, False) if wall is None else moment_of(wall, person.timezone, zone)
        lines.append(
            Line(
                person_id=person.person_id,
                address=person.address,
                language=language,
                parts=parts[language],
                due_at=max(due_at, at),
                grant_seq=person.seq,
                consent_event_id=person.consent_event_id,
                reason="zone_fallback" if fell_back else None,
            )
        )
    for left in page.withheld:
        lines.append(
            Line(
                person_id=left.person_id,
                address=left.address,
                language=default,
                parts=parts[default],
                due_at=at,
                grant_seq=0,
                consent_event_id=None,
                withheld=left.reason,
            )
        )
    lines.sort(key=itemgetter(0))
    return lines


def _audience(plan: _Plan, account_id: UUID) -> Audience:
    return Audience(
        plan.desk.consent,
        brand_id=plan.brand_id,
        account_id=account_id,
        channel=plan.desk.channels[plan.accounts[account_id].channel],
        purpose=plan.row["purpose"],
        stored=plan.row["audience"],
    )


def _next_account(plan: _Plan, account_id: UUID | None) -> UUID | None:
    """Return the account that comes after this one, or the first; none behind the last."""
    every: Sequence[UUID] = plan.row["account_ids"]
    begin = 0 if account_id is None else every.index(account_id) + 1
    return next((i for i in every[begin:] if i in plan.order), None)


def _begin(account_id: UUID | None) -> Cursor | None:
    return None if account_id is None else {"account": str(account_id), "after": None}
