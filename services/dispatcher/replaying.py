"""Try dead letters once more: what a platform refused, or what we withheld, goes back to the queue.

Only what was surely not taken: never a message that is unknown, or of which some parts were. It
goes the whole way again, so everybody is asked about once more.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from services.dispatcher.campaigns import NoSuchCampaign
from services.dispatcher.desk import Desk
from services.dispatcher.queries import campaigns, replays
from services.dispatcher.work import DONE, later
from shared.contracts.campaigns import CampaignStatus, Replay, ReplayIn
from shared.problems import Problem

log = structlog.get_logger()

PAGE = 2_000
"""Messages that one step looks at: few enough that nobody waits for their rows."""
_SHOWN = 50
_MAY_BE = (CampaignStatus.RUNNING, CampaignStatus.PAUSED, CampaignStatus.FINISHED)


async def begin(
    desk: Desk, brand_id: UUID, campaign_id: UUID, replay_id: UUID, wanted: ReplayIn
) -> Replay:
    """Keep what is to be tried again; a worker does it. A repeat changes nothing."""
    async with desk.database.connection(brand_id) as connection:
        known = await replays.find(connection, brand_id=brand_id, replay_id=replay_id)
        if known is not None:
            return _told(known)
        row = await campaigns.lock(connection, brand_id=brand_id, campaign_id=campaign_id)
        if row is None:
            raise NoSuchCampaign(str(campaign_id))
        if row["status"] not in _MAY_BE or row["launched_at"] is None:
            text = f"A campaign that is {row['status']} has nothing to be tried again."
            raise Problem(409, "wrong_status", text)
        if await replays.story_is_over(connection, brand_id=brand_id, campaign_id=campaign_id):
            text = "Its story is over for the first people already; make another campaign."
            raise Problem(409, "story_over", text)
        await replays.insert(
            connection,
            brand_id=brand_id,
            replay_id=replay_id,
            campaign_id=campaign_id,
            statuses=sorted(set(wanted.statuses)),
            reasons=wanted.reasons,
            cursor=_before(row["launched_at"]),
        )
        await later(connection, brand_id, "replay", replay_id)
        kept = await replays.find(connection, brand_id=brand_id, replay_id=replay_id)
    assert kept is not None
    log.info("campaign.replayed", campaign=str(campaign_id), replay=str(replay_id))
    return _told(kept)


async def of_campaign(desk: Desk, brand_id: UUID, campaign_id: UUID) -> list[Replay]:
    """Return a campaign's replays, the newest first."""
    async with desk.database.connection(brand_id) as connection:
        rows = await replays.of_campaign(
            connection, brand_id=brand_id, campaign_id=campaign_id, most=_SHOWN
        )
        if not rows and not await campaigns.find_plain(
            connection, brand_id=brand_id, campaign_id=campaign_id
        ):
            raise NoSuchCampaign(str(campaign_id))
    return [_told(row) for row in rows]


async def go_on(desk: Desk, brand_id: UUID, replay_id: UUID) -> timedelta | None:
    """Look at one page of messages; say when to come again.

    A campaign that had finished runs again from the first message on that waits again, and cannot
    finish before all are looked at.
    """
    async with desk.database.connection(brand_id) as connection:
        replay = await replays.find(connection, brand_id=brand_id, replay_id=replay_id)
        if replay is None or replay["ended_at"] is not None:
            return DONE
        campaign_id = replay["campaign_id"]
        row = await campaigns.lock(connection, brand_id=brand_id, campaign_id=campaign_id)
        if row is None or row["status"] not in _MAY_BE:
            await replays.advance(
                connection, brand_id=brand_id, replay_id=replay_id, cursor=None, queued=0
            )
            return DONE
        # Under the campaign's lock, because another process may have been here meanwhile.
        replay = await replays.find(connection, brand_id=brand_id, replay_id=replay_id)
        assert replay is not None
        dead, end = await replays.dead_letters(
            connection, brand_id=brand_id, replay=replay, first_day=row["day"], page=PAGE
        )
        if dead:
            await replays.queue(
                connection,
                brand_id=brand_id,
                campaign_id=campaign_id,
                messages=[tuple(each) for each in dead],
            )
            if row["status"] == CampaignStatus.FINISHED:
                await campaigns.set_status(
                    connection,
                    brand_id=brand_id,
                    campaign_id=campaign_id,
                    status=CampaignStatus.RUNNING,
                )
            await campaigns.wake_lanes(connection, account_ids=row["account_ids"])
            await later(connection, brand_id, "tally", brand_id)
        await replays.advance(
            connection, brand_id=brand_id, replay_id=replay_id, cursor=end, queued=len(dead)
        )
        if end is None and row["expanded"]:
            await later(connection, brand_id, "finish", campaign_id)
    return DONE if end is None else timedelta()


def _before(moment: datetime) -> UUID:
    """Return an id that sorts before every one that was made at this moment or later."""
    return UUID(int=int(moment.timestamp() * 1_000) << 80)


def _told(row: Any) -> Replay:
    return Replay(**{name: row[name] for name in Replay.model_fields})
