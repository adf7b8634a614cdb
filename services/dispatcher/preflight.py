"""Say what a launch would do now, without doing it.

The registry counts the audience in lots of people for whom the same moment counts; here they are
sorted as the expansion would sort them, and put on the accounts' lanes as far as their pace goes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from channels.base.channel import Channel
from services.dispatcher.audience import Audience
from services.dispatcher.campaigns import NoSuchCampaign
from services.dispatcher.desk import Desk
from services.dispatcher.forecast import Load, look_ahead
from services.dispatcher.launch import Telling, errors_of, tellings_of
from services.dispatcher.lines import TOO_LATE, zone_of
from services.dispatcher.queries import campaigns as queries
from services.dispatcher.queries import slips
from services.dispatcher.queries.accounts import AccountRow
from services.dispatcher.shares import HOLD_OUT, Shares, shares_of
from shared import clock
from shared.contracts.audiences import (
    AudienceCount,
)
from shared.contracts.campaigns import ChannelFinding, Preflight
from shared.contracts.forecast import ForecastIn, Lot

QUIET_HOURS = "quiet_hours"
CAPPED = "capped"
RECENT = 30.0
"""Seconds in which a busy account's real pace is measured."""
ENOUGH = 20
"""Messages in that time that tell a pace."""


async def preflight(desk: Desk, brand_id: UUID, campaign_id: UUID) -> Preflight:
    """Count the audience, render the stories and estimate the end; raise `NoSuchCampaign`."""
    async with desk.database.connection(brand_id) as connection:
        row = await queries.find_plain(connection, brand_id=brand_id, campaign_id=campaign_id)
        if row is None:
            raise NoSuchCampaign(str(campaign_id))
        waiting = await slips.waiting(connection, brand_id=brand_id, account_ids=row["account_ids"])
    tellings, accounts = await tellings_of(desk, brand_id, row)
    shares = shares_of(campaign_id, row["hold_out"], row["variants"])
    begins = max(clock.now(), row["send_at"] or clock.now())
    if row["recipient_local_time"]:
        begins = clock.now()
    seen = _Seen(shares, row["deadline"])
    outlooks = []
    for account in accounts.values():
        counted = await _count(desk, brand_id, row, account, shares, begins)
        loads = seen.add(counted, _parts_by_share(shares, tellings, account.id))
        outlooks.append(
            look_ahead(
                begins,
                loads,
                per_second=await _pace(desk, account, waiting.get(account.id, 0)),
                waiting=waiting.get(account.id, 0),
                deadline=row["deadline"],
            )
        )
    ends = max((outlook.ends_at for outlook in outlooks), default=None) if seen.getting else None
    late = sum(outlook.too_late for outlook in outlooks)
    findings = (
        *errors_of(accounts, tellings),
        *_about(row, tellings[0].story.language, accounts, seen.getting, late),
    )
    return Preflight(
        eligible=seen.eligible,
        excluded=dict(seen.excluded),
        withheld=dict(seen.withheld),
        deferred=dict(seen.deferred),
        variants=dict(seen.variants),
        zone_fallbacks=seen.zone_fallbacks,
        expected_finish_at=ends,
        expected_too_late=late,
        findings=findings,
    )


@dataclass
class _Seen:
    """What was counted so far, on all accounts."""

    shares: Shares
    deadline: datetime | None
    eligible: int = 0
    getting: int = 0
    """Who would get a message, sooner or later."""
    zone_fallbacks: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    withheld: Counter[str] = field(default_factory=Counter)
    deferred: Counter[str] = field(default_factory=Counter)
    variants: Counter[str] = field(default_factory=Counter)

    def add(self, counted: AudienceCount, parts: Mapping[int, int]) -> list[Load]:
        """Take in one account's audience; return what it puts on the account's lane."""
        self.eligible += counted.eligible
        self.excluded.update(counted.excluded)
        loads = []
        for lot in counted.lots:
            if (reason := self._kept_from(lot)) is not None:
                self.withheld[reason] += lot.number
                continue
            self.getting += lot.number
            self.zone_fallbacks += lot.number if lot.zone_fallback else 0
            if (variant := self.shares.variant(lot.share)) is not None:
                self.variants[variant] += lot.number
            if lot.opens_at > lot.due_at:
                self.deferred[QUIET_HOURS] += lot.number
            elif lot.capped:
                self.deferred[CAPPED] += lot.number
            if not lot.capped:
                loads.append(Load.of(lot, parts[lot.share]))
        return loads

    def _kept_from(self, lot: Lot) -> str | None:
        """Return why nothing would be sent to these, or none."""
        if self.shares.held_out(lot.share):
            return HOLD_OUT
        if self.deadline is None or lot.opens_at < self.deadline:
            return None
        return TOO_LATE if lot.due_at >= self.deadline else QUIET_HOURS


def _parts_by_share(
    shares: Shares, tellings: Sequence[Telling], account_id: UUID
) -> dict[int, int]:
    """Return of how many calls a message is made, in the longest of its languages."""
    longest = {
        telling.variant: max(
            1, *(len(each.parts) for each in telling.renderings[account_id].values())
        )
        for telling in tellings
    }
    return {
        share: longest[shares.variant(share) or ""]
        for share in range(len(shares.variants))
        if not shares.held_out(share)
    }


async def _count(
    desk: Desk, brand_id: UUID, row: Any, account: AccountRow, shares: Shares, begins: datetime
) -> AudienceCount:
    audience = Audience(
        desk.consent,
        brand_id=brand_id,
        account_id=account.id,
        channel=desk.channels[account.channel],
        purpose=row["purpose"],
        stored=row["audience"],
    )
    return await audience.count(
        ForecastIn(
            at=begins,
            wall=row["send_at"] if row["recipient_local_time"] else None,
            zone=zone_of(account),
            key=row["id"],
            edges=shares.edges,
        )
    )


async def _pace(desk: Desk, account: AccountRow, waiting: int) -> float:
    """Return how many calls per second an account makes: less than it may where it was seen so.

    An account with nothing to do shows no pace, so only that of a busy one counts.
    """
    told = account.settings.get("per_second")
    pace = _told_pace(desk.channels[account.channel], told)
    if not waiting:
        return pace
    async with desk.database.connection(account.brand_id) as connection:
        real = await queries.real_pace(
            connection,
            brand_id=account.brand_id,
            account_id=account.id,
            seconds=RECENT,
            at_least=ENOUGH,
        )
    return pace if real is None else min(pace, real)


def _told_pace(channel: Channel, told: object) -> float:
    return float(told) if isinstance(told, int | float) else channel.capabilities.pace.per_second


def _about(
    row: Any,
    language: str,
    accounts: Mapping[UUID, AccountRow],
    getting: int,
    late: int,
) -> list[ChannelFinding]:
    """Return what there is to say about the accounts and the times."""
    findings: list[ChannelFinding] = []

    def say(channel: str, level: str, code: str, message: str) -> None:
        findings.append(
            ChannelFinding.model_validate(
                {
                    "channel": channel,
                    "language": language,
                    "level": level,
                    "code": code,
                    "message": message,
                }
            )
        )

    channels = list(dict.fromkeys(account.channel for account in accounts.values()))
    if len(accounts) < len(row["account_ids"]):
        say(channels[0] if channels else "", "error", "account_gone", "an account was deleted")
    for account in accounts.values():
        if account.status == "broken":
            reason = (
                f"this account is broken ({account.status_reason}): nothing leaves until it works"
            )
            say(account.channel, "error", "account_broken", reason)
        elif account.status == "new":
            reason = "this account was never connected: what people answer may not reach us"
            say(account.channel, "warning", "account_not_connected", reason)
    for channel in channels:
        if not getting:
            say(channel, "warning", "nobody", "nobody of this audience may be written to now")
        if row["deadline"] is not None and row["deadline"] <= clock.now():
            say(channel, "error", "deadline_passed", "the deadline has passed: nothing would leave")
        elif late:
            text = f"at this pace {late} messages will not have started by the deadline"
            say(channel, "warning", "deadline_too_early", text)
    return findings
