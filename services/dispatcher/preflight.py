"""Say what a launch would do now, without doing it."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from channels.base.channel import Channel
from services.dispatcher.audience import Audience
from services.dispatcher.campaigns import NoSuchCampaign
from services.dispatcher.desk import Desk
from services.dispatcher.launch import errors_of, renderings_of
from services.dispatcher.queries import campaigns as queries
from services.dispatcher.queries import slips
from services.dispatcher.queries.accounts import AccountRow
from shared import clock
from shared.contracts.campaigns import ChannelFinding, Preflight, Story
from shared.contracts.consent import AudienceCount


async def preflight(desk: Desk, brand_id: UUID, campaign_id: UUID) -> Preflight:
    """Count the audience, render the story and estimate the end; raise `NoSuchCampaign`."""
    async with desk.database.connection(brand_id) as connection:
        row = await queries.find_plain(connection, brand_id=brand_id, campaign_id=campaign_id)
        if row is None:
            raise NoSuchCampaign(str(campaign_id))
        waiting = await slips.waiting(connection, brand_id=brand_id, account_ids=row["account_ids"])
    story, accounts, renderings = await renderings_of(desk, brand_id, row)
    counts = {i: await _count(desk, brand_id, row, account) for i, account in accounts.items()}
    excluded = _added(counted.excluded for counted in counts.values())
    deferred = _added(counted.deferred for counted in counts.values())
    seconds = [
        (
            waiting.get(i, 0)
            + counts[i].eligible * max(1, max(len(r.parts) for r in renderings[i].values()))
        )
        / _pace(desk.channels[account.channel], account)
        for i, account in accounts.items()
    ]
    begins = max(clock.now(), row["send_at"] or clock.now())
    eligible = sum(counted.eligible for counted in counts.values())
    ends = begins + timedelta(seconds=max(seconds)) if eligible else None
    findings = (*errors_of(accounts, renderings), *_about(row, story, accounts, eligible, ends))
    return Preflight(
        eligible=eligible,
        excluded=excluded,
        deferred=deferred,
        expected_finish_at=ends,
        findings=findings,
    )


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counted in counts:
        total.update(counted)
    return dict(total)


async def _count(desk: Desk, brand_id: UUID, row: Any, account: AccountRow) -> AudienceCount:
    audience = Audience(
        desk.consent,
        brand_id=brand_id,
        account_id=account.id,
        channel=desk.channels[account.channel],
        purpose=row["purpose"],
        stored=row["audience"],
    )
    return await audience.count()


def _pace(channel: Channel, account: AccountRow) -> float:
    told = account.settings.get("per_second")
    return float(told) if isinstance(told, int | float) else channel.capabilities.pace.per_second


def _about(
    row: Any,
    story: Story,
    accounts: dict[UUID, AccountRow],
    eligible: int,
    ends: datetime | None,
) -> list[ChannelFinding]:
    """Return what there is to say about the accounts and the times."""
    findings: list[ChannelFinding] = []

    def say(channel: str, level: str, code: str, message: str) -> None:
        findings.append(
            ChannelFinding.model_validate(
                {
                    "channel": channel,
                    "language": story.language,
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
        if not eligible:
            say(channel, "warning", "nobody", "nobody of this audience may be written to now")
        if row["deadline"] is not None and row["deadline"] <= clock.now():
            say(channel, "error", "deadline_passed", "the deadline has passed: nothing would leave")
        elif ends is not None and row["deadline"] is not None and ends > row["deadline"]:
            late = "at this pace some messages will not have started by the deadline"
            say(channel, "warning", "deadline_too_early", late)
    return findings
