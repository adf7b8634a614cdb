"""`send`: messages per second on the whole path, against a bare loop over stock aiogram."""

import asyncio
import time
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson

from tests.bench.brand import TEXT, Brand, add_people, open_brand
from tests.bench.figures import Measured, rate, really
from tests.bench.machine import House, Machine, a_child, cpu_of_children, first_line

ACCOUNTS = 16
IN_FLIGHT = 50
SETTINGS = {
    "DISPATCHER_PACING": "false",
    "DISPATCHER_IN_FLIGHT": str(IN_FLIGHT),
    "GATEWAY_RATE_PER_SECOND": "100000",
    "GATEWAY_RATE_BURST": "100000",
}
_WITHIN = 120.0
_LIVE = "('queued', 'sending')"


async def measure(machine: Machine, *, quick: bool) -> Measured:
    """Let a campaign and the bare loop take turns on one stub."""
    people, bare, rounds = (4_000, 2_000, 3) if quick else (20_000, 8_000, 5)
    results: list[dict[str, Any]] = []
    with a_child("tests.bench.stub") as (stub, told):
        port = int(orjson.loads(told)["port"])
        address = f"127.0.0.1:{port}"
        with a_child("tests.bench.bare_aiogram", "--port", str(port)) as (baseline, _):
            async with machine.house(allowed=address, **SETTINGS) as house:
                brand = await open_brand(house, accounts=ACCOUNTS, api_base=f"http://{address}")
                connection = await asyncpg.connect(house.database)
                sending = Sending(machine, house, brand, connection, f"http://{address}", stub.pid)
                await add_people(
                    connection, brand_id=brand.id, accounts=brand.accounts, count=people
                )
                # The first campaign of a process opens the accounts, the connections, the plans.
                await sending.campaign(people)
                for _ in range(rounds):
                    ours = await sending.campaign(people)
                    assert baseline.stdin is not None
                    baseline.stdin.write(b"%d\n" % bare)
                    baseline.stdin.flush()
                    theirs = orjson.loads(await asyncio.to_thread(first_line, baseline))
                    results.append(
                        {
                            "ours": ours.pop("rate"),
                            "baseline": theirs["rate"],
                            "baseline_cpu_us": theirs["cpu_us"],
                            **ours,
                        }
                    )
                await connection.close()
    notes = {"people": people, "accounts": ACCOUNTS, "in_flight": IN_FLIGHT}
    return Measured(rate("send", "messages/s", results), results, notes)


class Sending:
    """Campaigns of one brand to one stub."""

    def __init__(
        self,
        machine: Machine,
        house: House,
        brand: Brand,
        connection: asyncpg.Connection,
        stub: str,
        stub_pid: int,
    ) -> None:
        """`connection` is the owner's; `stub` is the base URL of the platform."""
        self._machine = machine
        self._house = house
        self._brand = brand
        self._connection = connection
        self._stub = stub
        self._stub_pid = stub_pid

    async def campaign(self, people: int) -> dict[str, Any]:
        """Send one campaign; return its rate and the processor time of each part per message.

        It is expanded first, while the lanes are held, because expanding is another benchmark.
        """
        campaign_id = await self.expanded(people)
        before = self._cpu()
        await self.let_go()
        async with httpx.AsyncClient(base_url=self._stub) as stub:
            began_at = await self.until_settled(stub, campaign_id, people)
        after = self._cpu()
        seconds = time.time() - began_at
        await self.verify(campaign_id, people)
        costs = {f"{k}_cpu_us": (after[k] - before[k]) / people * 1e6 for k in after}
        return {"rate": people / seconds, "seconds": seconds, **costs}

    async def expanded(self, people: int) -> UUID:
        """Launch a campaign with the lanes held; return it with all its messages queued."""
        await self._connection.execute(
            "UPDATE dispatcher.lane SET paused_until = now() + interval '1 hour'"
        )
        story = await self._post(
            "/v1/stories",
            {"title": "Autumn", "language": "it", "frames": [{"text": TEXT}]},
        )
        made = await self._post(
            "/v1/campaigns",
            {
                "name": "Autumn",
                "story_id": story["id"],
                "purpose": "marketing",
                "account_ids": [str(each) for each in self._brand.accounts],
                "audience": {"everyone": True},
            },
        )
        campaign_id = UUID(made["id"])
        await self._post(f"/v1/campaigns/{campaign_id}/launch", None)
        async with asyncio.timeout(_WITHIN):
            while not await self._connection.fetchval(
                "SELECT expanded FROM dispatcher.campaign WHERE id = $1", campaign_id
            ):
                await asyncio.sleep(0.1)
        accepted = await self._connection.fetchval(
            "SELECT accepted FROM dispatcher.campaign WHERE id = $1", campaign_id
        )
        really(accepted == people, f"{accepted} messages were accepted, {people} were meant")
        async with httpx.AsyncClient(base_url=self._stub) as stub:
            (await stub.get("/reset")).raise_for_status()
        return campaign_id

    async def let_go(self) -> None:
        """Let the lanes speak."""
        await self._connection.execute(
            "UPDATE dispatcher.lane SET paused_until = '-infinity', wake_at = now()"
        )

    async def until_settled(self, stub: httpx.AsyncClient, campaign_id: UUID, people: int) -> float:
        """Wait for the commit of the last settlement; return when the stub saw the first post."""
        async with asyncio.timeout(_WITHIN):
            while (seen := (await stub.get("/")).json())["posts"] < people:
                await asyncio.sleep(0.05)
            while await self.live(campaign_id):
                await asyncio.sleep(0.005)
        began_at: float = seen["first_at"]
        return began_at

    async def live(self, campaign_id: UUID) -> int:
        """Count the messages that are on their way."""
        count: int = await self._connection.fetchval(
            "SELECT count(*) FROM dispatcher.message WHERE brand_id = $1 AND campaign_id = $2"
            f" AND account_id = ANY($3) AND status IN {_LIVE}",
            self._brand.id,
            campaign_id,
            list(self._brand.accounts),
        )
        return count

    async def verify(self, campaign_id: UUID, people: int) -> None:
        """See that the platform got each message once and that each is settled with its attempt."""
        sent, attempts = await self._connection.fetchrow(
            "SELECT count(*), count(a.id) FROM dispatcher.message m LEFT JOIN dispatcher.attempt a"
            " ON a.brand_id = m.brand_id AND a.message_id = m.id AND a.outcome = 'sent'"
            " AND a.id = m.attempt_id"
            " WHERE m.brand_id = $1 AND m.campaign_id = $2 AND m.status = 'sent'"
            " AND m.consent_event_id IS NOT NULL",
            self._brand.id,
            campaign_id,
        )
        async with httpx.AsyncClient(base_url=self._stub) as stub:
            posts = (await stub.get("/")).json()["posts"]
        really(
            sent == attempts == posts == people,
            f"of {people}: {posts} posts, {sent} sent, {attempts} attempts",
        )

    async def _post(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        answer = await self._brand.api.post(path, json=body)
        really(answer.is_success, f"{path} was answered {answer.status_code}: {answer.text}")
        result: dict[str, Any] = answer.json() if answer.content else {}
        return result

    def _cpu(self) -> dict[str, float]:
        process = self._machine.cluster._process
        assert process is not None
        return {
            **self._house.cpu_seconds(),
            "postgres": cpu_of_children(process.pid),
            "stub": cpu_of_children(self._stub_pid),
        }
