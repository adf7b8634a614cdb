"""Live recipients: a campaign that goes on looking for people who come to fit its audience.

A look is a whole walk through the audience. Whoever has a message has it once, so a look stores
those alone who are new. The last look is the one that begins at the set end (`live_until`, or the
deadline); where no end is set, the one after a look that found nobody new while nothing of the
campaign waited or flew. Only the last look stores why named people may not be written to: until
then they may still come to be.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.dispatcher.queries import campaigns, expansion, slips
from services.dispatcher.work import DONE
from shared import clock
from shared.contracts.campaigns import CampaignStatus, Recipients
from shared.database import Database

REST = timedelta(seconds=20)
"""Between two looks, at least."""
LONGEST_REST = timedelta(minutes=10)
"""However long a look took: it may have been paused in the middle."""
SHARE = 10
"""How many times as long as a look took the rest is, so that looking stays cheap."""

Cursor = dict[str, Any]
"""Where a look stands: `account` and `after` as in every expansion, beside `look`.

`look` is `{"began", "due": moments, "accepted": number, "counted": by reason, "last": is it the
last}`; a look that is over is `through`."""


def is_live(row: Mapping[str, Any]) -> bool:
    """Say whether a campaign goes on looking."""
    return bool(row["recipients"] == Recipients.LIVE)


def look_of(row: Mapping[str, Any], cursor: Cursor | None) -> dict[str, Any]:
    """Return the look that a live campaign is at; with no cursor yet, the first one."""
    if cursor is not None:
        look: dict[str, Any] = cursor["look"]
        return look
    return _look(clock.now(), accepted=0, last=False)


def rest_of(cursor: Cursor | None) -> timedelta:
    """Return how long it is until a look may begin, or go on."""
    if cursor is None or "look" not in cursor or cursor["after"] is not None:
        return timedelta()
    due: datetime = datetime.fromisoformat(cursor["look"]["due"])
    return max(timedelta(), due - clock.now())


async def turn(
    database: Database, brand_id: UUID, campaign_id: UUID, *, first: UUID | None
) -> timedelta | None:
    """End a look that is through: plan the next one, beginning with account `first`.

    Returns when to go on; `DONE` where somebody else did it, or the campaign runs no more.
    """
    now = clock.now()
    async with database.connection(brand_id) as connection:
        row = await campaigns.find_plain(connection, brand_id=brand_id, campaign_id=campaign_id)
        if row is None or row["status"] != CampaignStatus.RUNNING or row["expanded"]:
            return DONE
        look = row["expand_cursor"]["look"]
        waits = await slips.is_live(connection, brand_id=brand_id, campaign_id=campaign_id)
        following = _next(row, look, now, waits=waits)
        moved = await expansion.turn(
            connection,
            brand_id=brand_id,
            campaign_id=campaign_id,
            before=row["expand_cursor"],
            after={"account": first and str(first), "after": None, "look": following},
        )
    if not moved:
        return DONE
    return max(timedelta(), datetime.fromisoformat(following["due"]) - now)


def _next(
    row: Mapping[str, Any], look: Mapping[str, Any], now: datetime, *, waits: bool
) -> dict[str, Any]:
    """Return the look after this one."""
    accepted: int = row["accepted"]
    if row["live_until"] is None and not waits and accepted == look["accepted"]:
        return _look(now, accepted=accepted, last=True)
    took = now - datetime.fromisoformat(look["began"])
    due = now + min(LONGEST_REST, max(REST, SHARE * took))
    ends = min((at for at in (row["live_until"], row["deadline"]) if at), default=None)
    if ends is not None and due >= ends:
        return _look(max(now, ends), accepted=accepted, last=True)
    return _look(due, accepted=accepted, last=False)


def _look(due: datetime, *, accepted: int, last: bool) -> dict[str, Any]:
    at = due.astimezone(UTC).isoformat()
    return {"began": at, "due": at, "accepted": accepted, "counted": {}, "last": last}
