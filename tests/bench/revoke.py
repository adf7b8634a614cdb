"""`revoke_ack_p99`: how long a brand's revocation takes to be acknowledged while a campaign sends.

The campaign is that of `send`, without pacing and with every processor busy: the hardest moment
for a STOP. Acknowledged means what docs/protocol.md says: nothing to that person starts any more.
"""

import asyncio
import random
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from shared import clock
from tests.bench.brand import add_people, open_brand
from tests.bench.campaign import ACCOUNTS, SETTINGS, Sending
from tests.bench.children import a_child
from tests.bench.figures import Figure, Measured, percentile, really
from tests.bench.machine import Machine
from tests.bench.wire import pump, request

CONNECTIONS = 2
SEED = 20_261_123


async def measure(machine: Machine, *, quick: bool) -> Measured:
    """Revoke people of running campaigns, one after the other on each connection."""
    people, campaigns = (6_000, 2) if quick else (20_000, 4)
    rounds: list[dict[str, Any]] = []
    latencies: list[float] = []
    with a_child("tests.bench.stub") as (stub, told):
        address = f"127.0.0.1:{int(orjson.loads(told)['port'])}"
        async with machine.house(allowed=address, settings=SETTINGS) as house:
            brand = await open_brand(house, accounts=ACCOUNTS, api_base=f"http://{address}")
            connection = await asyncpg.connect(house.database)
            await add_people(connection, brand_id=brand.id, accounts=brand.accounts, count=people)
            sending = Sending(machine, house, brand, connection, f"http://{address}", stub.pid)
            revoking = _Revoking(connection, brand.id, brand.key)
            willing = people
            for _ in range(campaigns):
                found, waits = await revoking.during(sending, house.port("gateway"), willing)
                willing -= len(waits)
                rounds.append(found)
                latencies += waits
            await connection.close()
    notes = {
        "revocations": len(latencies),
        "p50_ms": percentile(latencies, 0.5) * 1e3,
        "p90_ms": percentile(latencies, 0.9) * 1e3,
        "max_ms": max(latencies) * 1e3,
    }
    figure = Figure("revoke_ack_p99", round(percentile(latencies, 0.99) * 1e3, 1), "ms")
    return Measured(figure, rounds, notes)


class _Revoking:
    """Revokes people of one brand."""

    def __init__(self, connection: asyncpg.Connection, brand_id: UUID, key: str) -> None:
        self._connection = connection
        self._brand_id = brand_id
        self._key = key
        self._chance = random.Random(SEED)

    async def during(
        self, sending: Sending, port: int, willing: int
    ) -> tuple[dict[str, Any], list[float]]:
        """Send one campaign and revoke until it ends; return the round and every latency."""
        campaign_id = await sending.expanded(willing)
        rows = await self._connection.fetch(
            "SELECT account_id, address FROM dispatcher.message WHERE campaign_id = $1", campaign_id
        )
        self._chance.shuffle(rows)
        ended = asyncio.Event()
        states: dict[str, int] = {}
        acknowledged: dict[UUID, datetime] = {}

        def read(status: int, body: bytes) -> None:
            answer = orjson.loads(body)
            state = answer["state"] if status == 201 else f"http_{status}"
            states[state] = states.get(state, 0) + 1
            if status == 201:
                acknowledged[UUID(answer["id"])] = clock.now()

        began = time.perf_counter()
        await sending.let_go()
        watching = asyncio.create_task(self._watch(sending, campaign_id, ended))
        asked: list[asyncpg.Record] = []
        load = await pump(
            port, self._requests(rows, asked, ended), connections=CONNECTIONS, on_answer=read
        )
        await watching
        seconds = time.perf_counter() - began
        really(set(states) == {"revoked"}, f"revocations were answered {states}")
        cancelled = await self._verify(campaign_id, len(asked), acknowledged)
        found = {
            "revocations": len(asked),
            "cancelled_in_time": cancelled,
            "campaign_s": seconds,
            "p50_ms": percentile(load.latencies, 0.5) * 1e3,
            "p99_ms": percentile(load.latencies, 0.99) * 1e3,
            "max_ms": max(load.latencies) * 1e3,
        }
        return found, load.latencies

    async def _watch(self, sending: Sending, campaign_id: UUID, ended: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(120):
                while await sending.live(campaign_id):
                    await asyncio.sleep(0.05)
        finally:
            ended.set()

    def _requests(
        self, rows: list[asyncpg.Record], asked: list[asyncpg.Record], ended: asyncio.Event
    ) -> Iterator[bytes]:
        for row in rows:
            if ended.is_set():
                return
            asked.append(row)
            body = orjson.dumps(
                {
                    "account_id": str(row["account_id"]),
                    "address": row["address"],
                    "purpose": "marketing",
                    "action": "revoke",
                }
            )
            yield request("POST", "/v1/consents", body, {"authorization": f"Bearer {self._key}"})

    async def _verify(
        self, campaign_id: UUID, asked: int, acknowledged: dict[UUID, datetime]
    ) -> int:
        """See that all are revoked and nothing to them began after that; count those in time."""
        revoked, late, cancelled = await self._connection.fetchrow(
            "SELECT count(DISTINCT s.address) FILTER (WHERE s.status = 'revoked'),"
            " count(*) FILTER (WHERE a.started_at > x.at AND a.outcome <> 'too_late'),"
            " count(DISTINCT m.id) FILTER (WHERE m.status IN ('cancelled', 'withheld'))"
            " FROM unnest($3::uuid[], $4::timestamptz[]) AS x(event_id, at)"
            " JOIN consent.state s ON s.brand_id = $1 AND s.event_id = x.event_id"
            " JOIN dispatcher.message m ON m.brand_id = s.brand_id"
            " AND m.account_id = s.account_id AND m.address = s.address AND m.campaign_id = $2"
            " LEFT JOIN dispatcher.attempt a ON a.brand_id = m.brand_id AND a.message_id = m.id",
            self._brand_id,
            campaign_id,
            list(acknowledged),
            list(acknowledged.values()),
        )
        really(revoked == asked, f"{asked} were revoked, {revoked} are")
        really(late == 0, f"{late} sends began after the acknowledgement")
        return int(cancelled)
