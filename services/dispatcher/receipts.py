"""A platform's later word: kept first, then merged into its message, then told to the brand."""

from collections.abc import Sequence
from uuid import UUID

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

_LEFT_BEHIND = 1_000
"""Receipts of one account that are looked at again when its lane is taken over."""
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
        async with database.statement(brand_id) as connection:
            await receipts.store(
                connection, brand_id=brand_id, account_id=account_id, receipts=of_account
            )
        ids = [receipt.platform_id for receipt in of_account]
        moved += await _match(database, brand_id, account_id, ids)
    log.debug("receipts.taken", count=len(came), moved=moved)
    return moved


async def look_for_early(
    database: Database, brand_id: UUID, settled: Sequence[tuple[UUID, str]]
) -> None:
    """Apply what came before the settlement of these attempts (account, platform id).

    Call it when that is committed. Who dies in between leaves it to `look_behind`.
    """
    async with database.statement(brand_id) as connection:
        found = await receipts.early(
            connection,
            brand_id=brand_id,
            account_ids=list({account_id for account_id, _ in settled}),
            platform_ids=[platform_id for _, platform_id in settled],
        )
    by_account: dict[UUID, list[str]] = {}
    for account_id, platform_id in found:
        by_account.setdefault(account_id, []).append(platform_id)
    for account_id, ids in by_account.items():
        await _match(database, brand_id, account_id, ids)


async def look_behind(database: Database, brand_id: UUID, account_id: UUID) -> None:
    """Apply what came before a settlement whose author died before it looked."""
    async with database.statement(brand_id) as connection:
        ids = await receipts.left_behind(
            connection, brand_id=brand_id, account_id=account_id, most=_LEFT_BEHIND
        )
    if ids:
        await _match(database, brand_id, account_id, ids)


async def _match(
    database: Database, brand_id: UUID, account_id: UUID, platform_ids: Sequence[str]
) -> int:
    async with database.connection(brand_id) as connection:
        changed = await receipts.match(connection, brand_id, account_id, platform_ids)
        await events.record(connection, brand_id, [told(each) for each in changed])
    return len(changed)


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
