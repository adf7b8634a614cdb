"""Rows for tests of the queue: one brand, one account, one campaign, messages as many as wanted."""

import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from services.dispatcher.queries import settlements, slips, takeovers
from services.dispatcher.queries.intents import Intent, intend
from services.dispatcher.queries.settlements import Settlement
from services.dispatcher.queries.slips import NO_CAMPAIGN, Claimed, Cursor
from services.dispatcher.settle import Verdict
from services.dispatcher.states import Status
from shared.database import Database
from shared.ids import new_id


@dataclass
class Queue:
    """A brand with one running campaign on one account, as seen by the dispatcher's role."""

    database: Database
    brand_id: UUID = field(default_factory=new_id)
    account_id: UUID = field(default_factory=new_id)
    campaign_id: UUID = field(default_factory=new_id)
    day: date = field(default_factory=lambda: datetime.now(UTC).date())
    channel: str = "telegram"

    async def prepare(self) -> None:
        async with self.database.connection(self.brand_id) as connection:
            await connection.execute(
                "INSERT INTO dispatcher.account (brand_id, id, channel, name, credentials)"
                " VALUES ($1, $2, $3, 'a', '')",
                self.brand_id,
                self.account_id,
                self.channel,
            )
            await connection.execute(
                "INSERT INTO dispatcher.lane (id, brand_id, kind, epoch, wake_at)"
                " VALUES ($1, $2, 'account', 1, now())",
                self.account_id,
                self.brand_id,
            )
            await connection.execute(
                "INSERT INTO dispatcher.campaign (brand_id, id, day, name, story_id, purpose,"
                " account_ids, audience, status) VALUES ($1, $2, $3, 'c', $2, 'marketing', $4,"
                " '{}', 'running')",
                self.brand_id,
                self.campaign_id,
                self.day,
                [self.account_id],
            )

    async def add(self, address: str, **columns: object) -> UUID:
        """Queue one message on a slip of its own; columns not named are an ordinary message's."""
        slip_id = new_id()
        row = {
            "brand_id": self.brand_id,
            "id": new_id(),
            "day": self.day,
            "campaign_id": self.campaign_id,
            "account_id": self.account_id,
            "address": address,
            "purpose": "marketing",
            "status": "queued",
            "parts": 1,
            "due_at": datetime(2026, 1, 1, tzinfo=UTC),
            "grant_seq": 1,
            "slip_id": slip_id,
            **columns,
        }
        marks = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        async with self.database.connection(self.brand_id) as connection:
            await connection.execute(
                f"INSERT INTO dispatcher.message ({', '.join(row)}) VALUES ({marks})",
                *row.values(),
            )
            await connection.execute(
                "INSERT INTO dispatcher.slip (brand_id, id, account_id, queue_id, due_at, day,"
                " messages) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                self.brand_id,
                slip_id,
                row["account_id"],
                row["campaign_id"] or NO_CAMPAIGN,
                row["due_at"],
                row["day"],
                [row["id"]],
            )
        return row["id"]

    async def claim(
        self, *, epoch: int = 1, limit: int = 100, queue_id: UUID | None = None
    ) -> list[Claimed]:
        async with self.database.connection(self.brand_id) as connection:
            taken = await slips.claim(
                connection,
                brand_id=self.brand_id,
                account_id=self.account_id,
                queue_id=queue_id or self.campaign_id,
                epoch=epoch,
                limit=limit,
                cursor=Cursor(),
            )
        return taken.messages

    async def intend(self, *ids: UUID, epoch: int = 1) -> dict[UUID, UUID]:
        """Write intents; return the attempts of those that may go."""
        attempts = {message_id: new_id() for message_id in ids}
        async with self.database.statement(self.brand_id) as connection:
            going = await intend(
                connection,
                brand_id=self.brand_id,
                day=self.day,
                intents=[Intent(self.account_id, epoch, i, a, None) for i, a in attempts.items()],
            )
        return {i: a for i, a in attempts.items() if i in going}

    async def settle(self, message_id: UUID, attempt_id: UUID, **changes: object):
        return await self.settle_alike({message_id: attempt_id}, **changes)

    async def settle_alike(self, attempts: dict[UUID, UUID], **changes: object):
        """Settle attempts of messages with one verdict, as most of a campaign have."""
        made = [settlement_of(self, *each, **changes) for each in attempts.items()]
        alike = [each._replace(verdict=made[0].verdict) for each in made]
        async with self.database.statement(self.brand_id) as connection:
            return await settlements.settle(
                connection,
                brand_id=self.brand_id,
                day=self.day,
                settlements=alike,
                at=datetime.now(UTC),
            )

    async def recover(self, *, epoch: int, send_again: bool = False):
        async with self.database.connection(self.brand_id) as connection:
            return await takeovers.recover(
                connection,
                brand_id=self.brand_id,
                account_id=self.account_id,
                epoch=epoch,
                send_again=send_again,
            )

    async def status(self, message_id: UUID) -> str:
        async with self.database.connection(self.brand_id) as connection:
            return await connection.fetchval(
                "SELECT status FROM dispatcher.message WHERE brand_id = $1 AND id = $2",
                self.brand_id,
                message_id,
            )

    async def field(self, message_id: UUID, name: str) -> object:
        async with self.database.connection(self.brand_id) as connection:
            return await connection.fetchval(
                f"SELECT {name} FROM dispatcher.message WHERE brand_id = $1 AND id = $2",
                self.brand_id,
                message_id,
            )


def settlement_of(queue: Queue, message_id: UUID, attempt_id: UUID, **changes: Any) -> Settlement:
    """What became of an attempt; what is not named is that of a message that was sent."""
    verdict = {"outcome": "sent", "status": "sent", "code": None, "advance": True}
    settlement = {
        "account_id": queue.account_id,
        "campaign_id": queue.campaign_id,
        "message_id": message_id,
        "attempt_id": attempt_id,
        "part": 0,
        "started_at": time.time(),
        "platform_ids": ("1",),
        "answered": True,
    }
    for name, value in changes.items():
        (settlement if name in settlement else verdict)[name] = value
    verdict["status"] = Status(verdict["status"])
    return Settlement(verdict=Verdict(**verdict), **settlement)
