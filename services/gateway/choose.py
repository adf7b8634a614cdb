"""Which account is meant, and how its people's addresses are spelled."""

from uuid import UUID

from channels.base.channel import Channel
from channels.registry import CHANNELS
from services.gateway.errors import not_found, wrong_field
from services.gateway.queries import accounts
from services.gateway.tables import Account
from shared.database import Database
from shared.problems import Problem


async def account(
    database: Database, brand_id: UUID, *, account_id: UUID | None, channel: str | None
) -> Account:
    """Return the account of this id, or the brand's only one on this channel.

    Raises 404 for an id that is not the brand's, 422 where the channel does not tell which.
    """
    if account_id is None and channel is None:
        raise wrong_field("/account_id", "Give an account_id, or the channel.")
    async with database.begin(brand_id) as session:
        if account_id is not None:
            found = await accounts.get(session, brand_id, account_id)
            if found is None:
                raise not_found("account")
            if channel not in (None, found.channel):
                raise wrong_field("/channel", "The account is of another channel.")
            return found
        candidates = await accounts.of_channel(session, brand_id, channel or "")
    if not candidates:
        raise wrong_field("/channel", "The brand has no account of this channel.")
    if len(candidates) > 1:
        raise Problem(
            422,
            "account_ambiguous",
            "The brand has several accounts of this channel: say which by account_id.",
            errors=[{"pointer": "/account_id", "message": "Field required"}],
        )
    return candidates[0]


def known_channel(name: str) -> Channel:
    """Return a channel by its name, or raise 422."""
    channel = CHANNELS.get(name)
    if channel is None:
        known = ", ".join(sorted(CHANNELS))
        raise wrong_field("/channel", f"There is no such channel; there are: {known}.")
    return channel


def address(channel: str, spelled: str, *, pointer: str = "/address") -> str:
    """Return an address in its one spelling, or raise 422."""
    try:
        return known_channel(channel).normalise(spelled)
    except ValueError as error:
        raise wrong_field(pointer, str(error)) from error
