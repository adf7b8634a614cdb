"""A platform's later word: kept first, then merged into its message, then told to the brand."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import structlog

from services.dispatcher import events
from services.dispatcher.queries import receipts
from services.dispatcher.queries.receipts import Changed
from shared import clock
from shared.contracts.accounts import EventType
from shared.contracts.messages import ReceiptIn
from shared.database import Database
from shared.ids import derived_id

log = structlog.get_logger()

_EVENTS: dict[str, EventType] = {
    "sent": "message.sent",
    "delivered": "message.delivered",
    "read": "message.read",
    "refused": "message.refused",
    "partial": "message.refused",
}


async def take(database: Database, brand_id: UUID, came: Sequence[ReceiptIn]) -> int:
    """Keep receipts and move their messages on; return how many messages moved.

    A repeat changes nothing, and one after a crash between the two transactions completes them.
    """
    by_account: dict[UUID, list[ReceiptIn]] = {}
    for receipt in came:
        by_account.setdefault(receipt.account_id, []).append(receipt)
    moved = 0
    for account_id, of_account in by_account.items():
        async with database.connection(brand_id) as connection:
            known = await receipts.store(
                connection, brand_id=brand_id, account_id=account_id, receipts=of_account
            )
        if not known:
            continue
        async with database.connection(brand_id) as connection:
            changed = await receipts.apply(connection, brand_id, known)
            await events.record(connection, brand_id, [told(each) for each in changed])
        moved += len(changed)
    log.debug("receipts.taken", count=len(came), moved=moved)
    return moved


def told(changed: Changed) -> events.EventRow:
    """Return what the brand is told when a receipt moved a message on: once for each state."""
    return events.EventRow(
        id=derived_id(changed.id, f"receipt/{changed.status}"),
        type=_EVENTS[changed.status],
        at=clock.now(),
        data={
            "message_id": str(changed.id),
            "campaign_id": str(changed.campaign_id) if changed.campaign_id else None,
            "account_id": str(changed.account_id),
            "channel": changed.channel,
            "address": changed.address,
            "person_id": str(changed.person_id) if changed.person_id else None,
            "purpose": changed.purpose,
            "status": changed.status,
            "reason": changed.reason,
        },
    )


async def match(
    connection: asyncpg.Connection, brand_id: UUID, account_id: UUID, platform_ids: Sequence[str]
) -> None:
    """Apply what came before the settlement of these attempts, in the settlement's transaction.

    Call it after the attempts are written, and after the settlement's own events.
    """
    changed = await receipts.match(connection, brand_id, account_id, platform_ids)
    await events.record(connection, brand_id, [told(each) for each in changed])
