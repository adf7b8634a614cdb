"""Test sends: a campaign's story, as it is now, to some of the brand's own people.

Each is a message of its own that names the campaign (`test_of`) and belongs to none, so no total
counts it. Consent is asked for it as for any other, under the campaign's purpose.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from channels.base.channel import Channel
from services.dispatcher import singles
from services.dispatcher.campaigns import NoSuchCampaign
from services.dispatcher.desk import Desk
from services.dispatcher.drafts import wrong_address
from services.dispatcher.launch import tellings_of
from services.dispatcher.queries import campaigns as queries
from services.dispatcher.queries.accounts import AccountRow
from services.dispatcher.singles import Trial
from shared.contracts.campaigns import CampaignStatus, CampaignTest, SentTests
from shared.contracts.messages import Content, MessageIn
from shared.ids import derived_id
from shared.problems import Problem

_OVER = (CampaignStatus.FINISHED, CampaignStatus.CANCELLED)


async def try_out(
    desk: Desk, brand_id: UUID, campaign_id: UUID, test_id: UUID, wanted: CampaignTest
) -> SentTests:
    """Queue each variant that was asked for to each address. A repeat changes nothing."""
    async with desk.database.connection(brand_id) as connection:
        row = await queries.find_plain(connection, brand_id=brand_id, campaign_id=campaign_id)
    if row is None:
        raise NoSuchCampaign(str(campaign_id))
    if row["status"] in _OVER:
        text = f"A campaign that is {row['status']} cannot be tested; make another one."
        raise Problem(409, "wrong_status", text)
    _, accounts = await tellings_of(desk, brand_id, row)
    account = _account(accounts, wanted.account_id)
    stories = _stories(row, wanted.variants)
    messages = []
    for address in _addresses(desk.channels[account.channel], wanted.addresses):
        for variant, story_id in stories:
            message, _ = await singles.put(
                desk,
                brand_id,
                derived_id(test_id, f"{variant}/{account.id}/{address}"),
                MessageIn(
                    account_id=account.id,
                    address=address,
                    purpose=row["purpose"],
                    content=Content(story_id=story_id),
                ),
                trial=Trial(campaign_id, variant),
            )
            messages.append(message)
    return SentTests(items=tuple(messages))


def _account(accounts: dict[UUID, AccountRow], wanted: UUID | None) -> AccountRow:
    if wanted is not None and wanted in accounts:
        return accounts[wanted]
    if wanted is not None:
        raise _invalid("/account_id", "the campaign has no account of this id")
    if len(accounts) != 1:
        raise _invalid("/account_id", "the campaign has several accounts: say which one sends")
    [account] = accounts.values()
    return account


def _addresses(channel: Channel, given: Sequence[str]) -> list[str]:
    """Return the addresses in their one spelling, without repeats."""
    for number, address in enumerate(given):
        if (reason := wrong_address(channel, address)) is not None:
            raise _invalid(f"/addresses/{number}", reason)
    return list(dict.fromkeys(map(channel.normalise, given)))


def _stories(row: Any, wanted: Sequence[str] | None) -> list[tuple[str | None, UUID]]:
    """Return the variants that were asked for with their stories."""
    variants = {each["name"]: UUID(each["story_id"]) for each in row["variants"]}
    for number, name in enumerate(wanted or ()):
        if name not in variants:
            raise _invalid(f"/variants/{number}", "the campaign has no variant of this name")
    if not variants:
        return [(None, row["story_id"])]
    return [(name, variants[name]) for name in dict.fromkeys(wanted or variants)]


def _invalid(pointer: str, message: str) -> Problem:
    errors = [{"pointer": pointer, "message": message}]
    return Problem(422, "invalid", "Some fields are wrong.", errors=errors)
