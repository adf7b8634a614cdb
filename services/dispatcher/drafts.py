"""Accept a campaign: check that it could be sent, and store it as a draft."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from channels.base.channel import Channel
from services.dispatcher import campaigns, stories
from services.dispatcher.desk import Desk
from services.dispatcher.queries import accounts
from services.dispatcher.queries import campaigns as queries
from services.dispatcher.stories import NoSuchStory
from shared import clock
from shared.contracts.campaigns import Campaign, CampaignIn
from shared.problems import Problem

_MOST_ERRORS = 100


async def put(
    desk: Desk, brand_id: UUID, campaign_id: UUID, wanted: CampaignIn
) -> tuple[Campaign, bool]:
    """Store a draft under its id; return it, and whether it is new. A repeat changes nothing."""
    channels = await _check(desk, brand_id, wanted)
    audience = wanted.audience.model_dump(mode="json", exclude_none=True)
    if wanted.audience.addresses:
        audience["addresses"] = _addresses(wanted.audience.addresses, channels)
    values: dict[str, Any] = {
        "id": campaign_id,
        "name": wanted.name,
        "story_id": wanted.story_id or wanted.variants[0].story_id,
        "variants": [each.model_dump(mode="json") for each in wanted.variants],
        "hold_out": wanted.hold_out,
        "purpose": wanted.purpose,
        "account_ids": list(dict.fromkeys(wanted.account_ids)),
        "audience": audience,
        "named": len(audience["addresses"]) if wanted.audience.addresses else None,
        "recipients": wanted.recipients,
        "live_until": _utc(wanted.live_until),
        "send_at": _utc(wanted.send_at),
        "recipient_local_time": wanted.recipient_local_time,
        "deadline": _utc(wanted.deadline),
    }
    async with desk.database.connection(brand_id) as connection:
        new = await queries.insert(connection, brand_id=brand_id, values=values)
    return await campaigns.read(desk.database, brand_id, campaign_id), new


async def _check(desk: Desk, brand_id: UUID, wanted: CampaignIn) -> list[Channel]:
    """Return the channels of the campaign's accounts, or refuse it with every reason at once."""
    errors: list[dict[str, str]] = []

    def wrong(pointer: str, message: str) -> None:
        errors.append({"pointer": pointer, "message": message})

    for pointer, story_id in _stories(wanted):
        try:
            await stories.find(desk, brand_id, story_id)
        except NoSuchStory:
            wrong(pointer, "there is no story of this id")
    async with desk.database.connection(brand_id) as connection:
        known = {row.id: row for row in await accounts.of_brand(connection, brand_id=brand_id)}
    for number, account_id in enumerate(wanted.account_ids):
        if account_id not in known:
            wrong(f"/account_ids/{number}", "there is no account of this id")
    errors += _wrong_times(wanted)
    if errors:
        raise _invalid(errors)
    return [desk.channels[known[i].channel] for i in dict.fromkeys(wanted.account_ids)]


def _stories(wanted: CampaignIn) -> list[tuple[str, UUID]]:
    """Return the stories that a campaign tells, each with its place."""
    if wanted.story_id is not None:
        return [("/story_id", wanted.story_id)]
    return [(f"/variants/{n}/story_id", each.story_id) for n, each in enumerate(wanted.variants)]


def _wrong_times(wanted: CampaignIn) -> list[dict[str, str]]:
    send_at, deadline, live_until = map(_utc, (wanted.send_at, wanted.deadline, wanted.live_until))
    said: list[tuple[str, str]] = []
    if deadline and deadline <= clock.now():
        said.append(("/deadline", "this is in the past"))
    elif deadline and send_at and deadline <= send_at:
        said.append(("/deadline", "the deadline is before the campaign begins"))
    if live_until and live_until <= max(clock.now(), send_at or clock.now()):
        said.append(("/live_until", "this is before the campaign begins"))
    elif live_until and deadline and live_until > deadline:
        said.append(("/live_until", "who comes after the deadline would get nothing"))
    if wanted.recipient_local_time:
        if wanted.send_at is None:
            said.append(("/send_at", "say which hour it shall be where each person lives"))
        elif wanted.send_at.utcoffset():
            said.append(
                ("/send_at", "with recipient_local_time, write the wall-clock time with a Z")
            )
    return [{"pointer": pointer, "message": message} for pointer, message in said]


def _addresses(given: tuple[str, ...], channels: list[Channel]) -> list[str]:
    """Return the addresses without repeats; each must be one on at least one of the channels."""
    errors: list[dict[str, str]] = []
    for number, address in enumerate(given):
        reasons = [reason for channel in channels if (reason := wrong_address(channel, address))]
        if len(reasons) == len(channels):
            errors.append({"pointer": f"/audience/addresses/{number}", "message": reasons[0]})
            if len(errors) == _MOST_ERRORS:
                break
    if errors:
        raise _invalid(errors)
    return list(dict.fromkeys(given))


def wrong_address(channel: Channel, address: str) -> str | None:
    """Say what is wrong with an address on a channel; none when it is one."""
    try:
        channel.normalise(address)
    except ValueError as error:
        return str(error)
    return None


def _invalid(errors: list[dict[str, str]]) -> Problem:
    return Problem(422, "invalid", "Some fields are wrong.", errors=errors)


def _utc(moment: datetime | None) -> datetime | None:
    """Read a time without an offset as UTC, as everywhere in this API."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)
