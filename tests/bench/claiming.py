"""Claims as the dispatcher makes them, over messages that were laid out by SQL.

The one file of the benchmarks that knows how messages wait: what a row of the queue looks like, and
which of the dispatcher's functions takes it and puts it back.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from uuid import UUID

import asyncpg

from services.dispatcher.app import PLANS
from services.dispatcher.queries import slips
from services.dispatcher.queries.slips import SIZE, Claimed, Cursor
from shared.database import Database
from shared.ids import new_id
from tests.bench.figures import really
from tests.bench.machine import Machine

EPOCH = 1

# A partition of its own, filled before it has its indexes: a million at a time are sorted faster
# than they are inserted one by one. Account after account, as expansion lays them out.
_NEW_PARTITION = """
ALTER TABLE dispatcher.message DETACH PARTITION dispatcher.{partition};
DROP TABLE dispatcher.{partition};
CREATE TABLE dispatcher.{partition}
    (LIKE dispatcher.message INCLUDING DEFAULTS INCLUDING CONSTRAINTS) WITH ({options});
"""
_ROWS = """
INSERT INTO dispatcher.{partition} (brand_id, id, day, campaign_id, account_id, person_id, address,
    language, purpose, status, parts, due_at, grant_seq, consent_event_id, slip_id)
SELECT '{brand}', uuidv7(), current_date, '{campaign}', account.id, uuidv7(),
    (7000000000 + n)::text, 'it', 'marketing', 'queued', 1, now(), n, uuidv7(),
    md5(account.id::text || (n - 1) / {size})::uuid
FROM unnest($1::uuid[]) AS account(id), generate_series(1, $2::int) AS n
"""
_SLIPS = """
INSERT INTO dispatcher.slip (brand_id, id, account_id, queue_id, due_at, day, messages)
SELECT brand_id, slip_id, account_id, campaign_id, due_at, day, array_agg(id ORDER BY id)
FROM dispatcher.{partition} GROUP BY brand_id, slip_id, account_id, campaign_id, due_at, day
"""
_ATTACH = """
ALTER TABLE dispatcher.message ATTACH PARTITION dispatcher.{partition}
    FOR VALUES FROM ('{day}') TO ('{next_day}')
"""


class Backlog:
    """Messages of one campaign that wait in many lanes of one database."""

    def __init__(self, owner: asyncpg.Connection, url: str, lanes: int) -> None:
        """`url` is the database's address as the dispatcher's role."""
        self.lanes = [new_id() for _ in range(lanes)]
        self._owner = owner
        self._brand_id, self._campaign_id = new_id(), new_id()
        self._partition = ""
        self._day = date.min
        self._database = Database(url, pool_size=2, name="permesso bench", settings=PLANS)
        self._claimed: list[list[Claimed]] = []
        self._cursors: dict[UUID, Cursor] = {}

    async def lay_out(self, each: int) -> None:
        """Let so many messages wait in each lane."""
        await self._owner.execute("SET maintenance_work_mem = '512MB'")
        await self._owner.execute(
            "INSERT INTO dispatcher.campaign (brand_id, id, day, name, story_id, purpose,"
            " account_ids, audience, status, accepted, expanded) VALUES"
            " ($1, $2, current_date, 'Autumn', $2, 'marketing', $3, '{}', 'running', $4, true)",
            self._brand_id,
            self._campaign_id,
            self.lanes,
            each * len(self.lanes),
        )
        self._day, self._partition, options = await self._owner.fetchrow(
            "SELECT current_date, relname, array_to_string(reloptions, ', ') FROM pg_class"
            " WHERE oid = ('dispatcher.message_' || to_char(current_date, 'YYYYMMDD'))::regclass"
        )
        await self._owner.execute(self._named(_NEW_PARTITION.replace("{options}", options)))
        await self._owner.execute(self._named(_ROWS), self.lanes, each)
        await self._owner.execute(self._named(_ATTACH))
        await self._owner.execute(self._named(_SLIPS))
        await self._owner.execute(
            "INSERT INTO dispatcher.lane (id, brand_id, kind, epoch)"
            " SELECT unnest($1::uuid[]), $2, 'account', $3",
            self.lanes,
            self._brand_id,
            EPOCH,
        )
        await self._tidy()

    async def claim(self, lane: UUID, limit: int) -> int:
        """Take messages of one lane as its runner does; return how many there were."""
        async with self._database.connection(self._brand_id, durable=False) as connection:
            taken = await slips.claim(
                connection,
                brand_id=self._brand_id,
                account_id=lane,
                queue_id=self._campaign_id,
                epoch=EPOCH,
                limit=limit,
                cursor=self._cursors.setdefault(lane, Cursor()),
            )
        self._claimed.append(taken.messages)
        return len(taken.messages)

    async def put_back(self) -> None:
        """Put everything claimed back; see that each was claimed once and that all wait again."""
        ids = {each.id for batch in self._claimed for each in batch}
        really(len(ids) == sum(map(len, self._claimed)), "a message was claimed twice")
        async with self._database.connection(self._brand_id, durable=False) as connection:
            await slips.take_away(
                connection, brand_id=self._brand_id, campaign_id=self._campaign_id
            )
        self._claimed = []
        self._cursors = {}
        await self._tidy()

    async def waiting(self) -> int:
        """Count what waits."""
        found: int = await self._owner.fetchval(
            "SELECT count(*) FROM dispatcher.message m JOIN dispatcher.slip s"
            " ON s.brand_id = m.brand_id AND s.id = m.slip_id AND s.epoch = 0"
            " WHERE m.brand_id = $1 AND m.status = 'queued'",
            self._brand_id,
        )
        return found

    async def close(self) -> None:
        """Let go of the connections."""
        await self._database.close()
        await self._owner.close()

    async def _tidy(self) -> None:
        """Do now what autovacuum would do in the middle of a round."""
        await self._owner.execute(f"VACUUM ANALYZE dispatcher.{self._partition}, dispatcher.slip")

    def _named(self, statement: str) -> str:
        for name, value in (
            ("partition", self._partition),
            ("day", str(self._day)),
            ("next_day", str(self._day + timedelta(days=1))),
            ("size", str(SIZE)),
            ("brand", str(self._brand_id)),
            ("campaign", str(self._campaign_id)),
        ):
            statement = statement.replace("{" + name + "}", value)
        return statement


@asynccontextmanager
async def a_backlog(machine: Machine, *, lanes: int, each: int) -> AsyncIterator[Backlog]:
    """Lay out a backlog in a database of its own."""
    role = "permesso_dispatcher"
    async with machine.a_database() as name:
        url = machine.cluster.url(name, role=role, password=machine.keys.role_passwords[role])
        backlog = Backlog(await asyncpg.connect(machine.cluster.url(name)), url, lanes)
        try:
            await backlog.lay_out(each)
            yield backlog
        finally:
            await backlog.close()
