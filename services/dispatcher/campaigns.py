"""The life of a campaign: draft → scheduled → running ⇄ paused → finished or cancelled.

Every change locks the campaign's row first and its messages after it, as the claim does.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import structlog

from services.dispatcher import events
from services.dispatcher.queries import campaigns, ending, slips
from services.dispatcher.queries.campaigns import COLUMNS
from services.dispatcher.work import DONE, later, never
from shared import clock
from shared.contracts.accounts import EventType
from shared.contracts.attributes import AttributeFilter
from shared.contracts.campaigns import (
    AudienceIn,
    Campaign,
    CampaignItem,
    CampaignStatus,
    Ending,
    Totals,
)
from shared.database import Database
from shared.ids import new_id
from shared.problems import Problem

log = structlog.get_logger()

_CANCEL_AT_ONCE = 250
"""Slips; more than there can be with something in flight."""
_HIDDEN = {"day", "accepted", "expand_cursor", "audience", "story_id", "variants"}
EARLIEST_ZONE = timedelta(hours=14)
"""How long before UTC a wall-clock time comes in the first time zone (Pacific/Kiritimati)."""


class NoSuchCampaign(Exception):
    """This brand has no campaign of this id."""


async def read(database: Database, brand_id: UUID, campaign_id: UUID) -> Campaign:
    """Return a campaign with its totals of this moment, or raise `NoSuchCampaign`."""
    async with database.connection(brand_id) as connection:
        row = await campaigns.find(connection, brand_id=brand_id, campaign_id=campaign_id)
        ended = await ending.reports(connection, brand_id=brand_id, campaign_ids=[campaign_id])
    if row is None:
        raise NoSuchCampaign(str(campaign_id))
    return campaign(row, ended.get(campaign_id))


async def check(database: Database, brand_id: UUID, campaign_id: UUID) -> None:
    """Raise `NoSuchCampaign` unless there is one."""
    async with database.connection(brand_id) as connection:
        if not await campaigns.find_plain(connection, brand_id=brand_id, campaign_id=campaign_id):
            raise NoSuchCampaign(str(campaign_id))


async def page(
    database: Database, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[CampaignItem]:
    """Return campaigns from the newest to the oldest, without the addresses they are for."""
    async with database.connection(brand_id) as connection:
        rows = await campaigns.page(connection, brand_id=brand_id, before=before, limit=limit)
        ids = [row["id"] for row in rows]
        ended = await ending.reports(connection, brand_id=brand_id, campaign_ids=ids)
    return [
        CampaignItem(
            **_facts(row, ended.get(row["id"])),
            audience=None if row["audience"] is None else _audience(row["audience"]),
        )
        for row in rows
    ]


async def pause(
    database: Database, brand_id: UUID, campaign_id: UUID, *, reason: str | None = None
) -> None:
    """Let nothing more of a campaign start; what flies, lands. Repeat as you like.

    A `reason` is the house's own; it does not mind a campaign that is over meanwhile.
    """
    async with database.connection(brand_id) as connection:
        row = await _locked(connection, brand_id, campaign_id)
        over = row["status"] in (CampaignStatus.FINISHED, CampaignStatus.CANCELLED)
        if row["status"] == CampaignStatus.PAUSED or (over and reason is not None):
            return
        _only(row, CampaignStatus.SCHEDULED, CampaignStatus.RUNNING, to="paused")
        await campaigns.set_status(
            connection,
            brand_id=brand_id,
            campaign_id=campaign_id,
            status=CampaignStatus.PAUSED,
            reason=reason,
        )
        if row["status"] == CampaignStatus.SCHEDULED:
            await never(connection, "launch", campaign_id)
        else:
            await slips.take_away(connection, brand_id=brand_id, campaign_id=campaign_id)
            await never(connection, "expand", campaign_id)
        told = event("campaign.paused", row, id=new_id(), reason=reason)
        await events.record(connection, brand_id, [told])
    log.info("campaign.paused", campaign=str(campaign_id), reason=reason)


async def resume(database: Database, brand_id: UUID, campaign_id: UUID) -> None:
    """Let a paused campaign go on where it stood. Repeat as you like."""
    async with database.connection(brand_id) as connection:
        row = await _locked(connection, brand_id, campaign_id)
        if row["status"] in (CampaignStatus.RUNNING, CampaignStatus.SCHEDULED):
            return
        _only(row, CampaignStatus.PAUSED, to="resumed")
        launched = row["launched_at"] is not None
        await campaigns.set_status(
            connection,
            brand_id=brand_id,
            campaign_id=campaign_id,
            status=CampaignStatus.RUNNING if launched else CampaignStatus.SCHEDULED,
        )
        if not launched:
            await later(connection, brand_id, "launch", campaign_id, due_at=launch_at(row))
            return
        await campaigns.wake_lanes(connection, account_ids=row["account_ids"])
        await later(connection, brand_id, "finish" if row["expanded"] else "expand", campaign_id)
    log.info("campaign.resumed", campaign=str(campaign_id))


async def cancel(database: Database, brand_id: UUID, campaign_id: UUID) -> None:
    """End a campaign for good: what waits is cancelled soon after. Repeat as you like."""
    async with database.connection(brand_id) as connection:
        row = await _locked(connection, brand_id, campaign_id)
        if row["status"] == CampaignStatus.CANCELLED:
            return
        if row["status"] == CampaignStatus.FINISHED:
            raise Problem(409, "campaign_over", "A finished campaign cannot be cancelled.")
        await campaigns.set_status(
            connection,
            brand_id=brand_id,
            campaign_id=campaign_id,
            status=CampaignStatus.CANCELLED,
        )
        for kind in ("launch", "expand", "finish"):
            await never(connection, kind, campaign_id)
        if row["day"] is not None:
            await later(connection, brand_id, "cancel", campaign_id)
    log.info("campaign.cancelled", campaign=str(campaign_id))


async def cancel_some(database: Database, brand_id: UUID, campaign_id: UUID) -> timedelta | None:
    """Cancel a batch of what a cancelled campaign has left; say when to come again."""
    async with database.connection(brand_id) as connection:
        row = await campaigns.lock(connection, brand_id=brand_id, campaign_id=campaign_id)
        if row is None or row["day"] is None:
            return DONE
        if await campaigns.cancel_messages(
            connection, brand_id=brand_id, campaign_id=campaign_id, slips=_CANCEL_AT_ONCE
        ):
            return timedelta()
        # What is in flight may still come back to the queue.
        live = await slips.is_live(connection, brand_id=brand_id, campaign_id=campaign_id)
    return timedelta(seconds=1) if live else DONE


async def finish_if_done(database: Database, brand_id: UUID, campaign_id: UUID) -> bool:
    """Finish a running campaign that has nothing left to send; true when it is finished now."""
    async with database.connection(brand_id) as connection:
        if not await _is_done(connection, brand_id, campaign_id):
            return False
        row = await _locked(connection, brand_id, campaign_id)
        # Between the look and the lock a message may have come back, or somebody else was quicker.
        if not await _is_done(connection, brand_id, campaign_id):
            return False
        await campaigns.set_status(
            connection,
            brand_id=brand_id,
            campaign_id=campaign_id,
            status=CampaignStatus.FINISHED,
        )
        await slips.finish_campaign(connection, brand_id=brand_id, campaign_id=campaign_id)
        await never(connection, "finish", campaign_id)
        counted = await campaigns.find(connection, brand_id=brand_id, campaign_id=campaign_id)
        assert counted is not None  # locked above
        sums = campaign(counted).totals
        told = event(
            "campaign.finished",
            row,
            # Of its own: a campaign that a late word reopened finishes a second time.
            id=new_id(),
            totals=sums.model_dump(),
        )
        await events.record(connection, brand_id, [told])
    log.info(
        "campaign.finished", campaign=str(campaign_id), **sums.model_dump(exclude={"withheld"})
    )
    return True


async def _is_done(connection: asyncpg.Connection, brand_id: UUID, campaign_id: UUID) -> bool:
    expanded = await connection.fetchval(
        "SELECT true FROM dispatcher.campaign WHERE brand_id = $1 AND id = $2"
        " AND status = 'running' AND expanded AND NOT EXISTS (SELECT FROM dispatcher.replay r"
        "   WHERE r.brand_id = $1 AND r.campaign_id = $2 AND r.ended_at IS NULL)",
        brand_id,
        campaign_id,
    )
    return bool(expanded) and not await slips.is_live(
        connection, brand_id=brand_id, campaign_id=campaign_id
    )


def launch_at(row: Mapping[str, Any]) -> datetime:
    """Return when a campaign's launch is due: for local times, before the first zone's hour."""
    send_at: datetime | None = row["send_at"]
    now = clock.now()
    if send_at is None:
        return now
    return max(now, send_at - EARLIEST_ZONE if row["recipient_local_time"] else send_at)


def campaign(row: Mapping[str, Any], ended: Mapping[str, Any] | None = None) -> Campaign:
    """Return a row with its counts, and those of its ending, as the contract has it."""
    return Campaign(**_facts(row, ended), audience=_audience(row["audience"]))


def ending_of(row: Mapping[str, Any]) -> Ending:
    """Return what became of a campaign's messages as the contract has it."""
    done = row["deleted"] + row["replaced"] + sum(row["kept"].values())
    fields = {name: row[name] for name in Ending.model_fields if name != "waiting"}
    return Ending(waiting=row["messages"] - done, **fields)


def _facts(row: Mapping[str, Any], ended: Mapping[str, Any] | None) -> dict[str, Any]:
    facts = {name: row[name] for name in COLUMNS if name not in _HIDDEN}
    counts = [Count(*each) for each in row["counts"] or ()]
    of_variant = {
        each["name"]: [count for count in counts if count.variant == each["name"]]
        for each in row["variants"]
    }
    return {
        **facts,
        "ending": None if ended is None else ending_of(ended),
        "story_id": None if row["variants"] else row["story_id"],
        "variants": row["variants"],
        "totals": totals(counts, accepted=row["accepted"]),
        "deferred": _deferred(counts),
        "variant_totals": {
            name: totals(some, accepted=sum(count.number for count in some))
            for name, some in of_variant.items()
        },
    }


def _audience(stored: Mapping[str, Any]) -> AudienceIn:
    # Checked when it came in, and up to 100,000 addresses long.
    return AudienceIn.model_construct(**audience_fields(stored))


def audience_fields(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the audience as it was asked for."""
    fields = {
        name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()
    }
    if "attributes" in fields:
        fields["attributes"] = AttributeFilter.model_validate(fields["attributes"])
    return fields


class Count(NamedTuple):
    """How many messages stand alike. A reason is there of withheld and of deferred ones alone."""

    variant: str | None
    status: str
    reason: str | None
    number: int


def totals(counts: Iterable[Count], *, accepted: int) -> Totals:
    """Sort counts by state."""
    by_status: Counter[str] = Counter()
    withheld: Counter[str] = Counter()
    for _, status, reason, number in counts:
        if status == "withheld":
            withheld[reason or "unknown"] += number
        else:
            by_status[status] += number
    return Totals(accepted=accepted, withheld=dict(withheld), **by_status)


def _deferred(counts: Iterable[Count]) -> dict[str, int]:
    deferred: Counter[str] = Counter()
    for _, status, reason, number in counts:
        if status == "queued" and reason is not None:
            deferred[reason] += number
    return dict(deferred)


def event(kind: EventType, row: Mapping[str, Any], *, id: UUID, **more: object) -> events.EventRow:
    """Return what a brand is told about a campaign."""
    data: dict[str, object] = {"campaign_id": str(row["id"]), "name": row["name"], **more}
    return events.EventRow(id=id, type=kind, at=clock.now(), data=data)


async def _locked(
    connection: asyncpg.Connection, brand_id: UUID, campaign_id: UUID
) -> asyncpg.Record:
    row = await campaigns.lock(connection, brand_id=brand_id, campaign_id=campaign_id)
    if row is None:
        raise NoSuchCampaign(str(campaign_id))
    return row


def _only(row: Mapping[str, Any], *allowed: CampaignStatus, to: str) -> None:
    if row["status"] not in allowed:
        raise Problem(409, "wrong_status", f"A campaign that is {row['status']} cannot be {to}.")
