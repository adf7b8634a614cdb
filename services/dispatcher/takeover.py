"""What a new owner does first: account for everything the one before left in its hands."""

import structlog

from channels.registry import CHANNELS
from services.dispatcher import events, receipts
from services.dispatcher.queries import takeovers
from services.dispatcher.queries.lanes import Lane
from shared import clock
from shared.database import Database
from shared.ids import derived_id

log = structlog.get_logger()


async def take_over(database: Database, lane: Lane) -> None:
    """Claimed goes back to the queue; what was in flight becomes unknown, and the brand is told."""
    async with database.connection(lane.brand_id) as connection:
        channel = await connection.fetchval(
            "SELECT channel FROM dispatcher.account WHERE brand_id = $1 AND id = $2",
            lane.brand_id,
            lane.id,
        )
        if channel is None:
            return
        rows = await takeovers.recover(
            connection,
            brand_id=lane.brand_id,
            account_id=lane.id,
            epoch=lane.epoch,
            send_again=CHANNELS[channel].capabilities.removes_doubles,
        )
        told = [
            events.EventRow(
                id=derived_id(row["id"], f"owner_lost/{lane.epoch}"),
                type="message.unknown",
                at=clock.now(),
                data={
                    "message_id": str(row["id"]),
                    "campaign_id": str(row["campaign_id"]) if row["campaign_id"] else None,
                    "account_id": str(lane.id),
                    "channel": channel,
                    "address": row["address"],
                    "person_id": str(row["person_id"]) if row["person_id"] else None,
                    "purpose": row["purpose"],
                    "status": row["status"],
                    "reason": row["reason"],
                },
            )
            for row in rows
            if row["status"] != "queued"
        ]
        if told:
            await events.record(connection, lane.brand_id, told)
    can = CHANNELS[channel].capabilities
    if can.tells_delivered or can.tells_read:
        await receipts.look_behind(database, lane.brand_id, lane.id)
    if rows:
        log.warning("lane.recovered", lane=str(lane.id), epoch=lane.epoch, in_flight=len(rows))
