"""Rows for tests of the queue: one brand, one account, one campaign, messages as many as wanted."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID

from services.dispatcher.queries import messages, takeovers
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
        """Queue one message; columns not named are those of an ordinary campaign message."""
        row = {
            "brand_id": self.brand_id,
            "id": new_id(),
            "day": self.day,
            "campaign_id": self.campaign_id,
            "queue_id": self.campaign_id,
            "account_id": self.account_id,
            "address": address,
            "purpose": "marketing",
            "status": "queued",
            "parts": 1,
            "due_at": datetime(2026, 1, 1, tzinfo=UTC),
            "grant_seq": 1,
            **columns,
        }
        marks = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        async with self.database.connection(self.brand_id) as connection:
            await connection.execute(
                f"INSERT INTO dispatcher.message ({', '.join(row)}) VALUES ({marks})",
                *row.values(),
            )
        return row["id"]

    async def claim(self, *, epoch: int = 1, limit: int = 100, queue_id: UUID | None = None):
        async with self.database.connection(self.brand_id) as connection:
            return await messages.claim(
                connection,
                brand_id=self.brand_id,
                account_id=self.account_id,
                queue_id=queue_id or self.campaign_id,
                epoch=epoch,
                limit=limit,
            )

    async def intend(self, *ids: UUID, epoch: int = 1) -> dict[UUID, UUID]:
        """Write intents; return the attempts of those that may go."""
        attempts = {message_id: new_id() for message_id in ids}
        async with self.database.connection(self.brand_id) as connection:
            going = await messages.intend(
                connection,
                brand_id=self.brand_id,
                day=self.day,
                intents=[messages.Intent(i, a, None, epoch) for i, a in attempts.items()],
            )
        return {i: a for i, a in attempts.items() if i in going}

    async def settle(self, message_id: UUID, attempt_id: UUID, **changes: object):
        settlement = {
            "account_id": self.account_id,
            "message_id": message_id,
            "day": self.day,
            "attempt_id": attempt_id,
            "part": 0,
            "status": "sent",
            "outcome": "sent",
            "code": None,
            "wait": 0.0,
            "advance": True,
            "costs_attempt": True,
            "started_at": datetime.now(UTC),
            "platform_ids": ("1",),
            **changes,
        }
        async with self.database.connection(self.brand_id) as connection:
            return await messages.settle(
                connection,
                brand_id=self.brand_id,
                day=self.day,
                settlements=[messages.Settlement(**settlement)],
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
