"""Campaigns of one brand to one stub: drafted, launched, sent, and looked at afterwards."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from tests.bench.brand import TEXT, Brand
from tests.bench.figures import NotReal, really
from tests.bench.house import House
from tests.bench.machine import Machine
from tests.bench.proc import cpu_of_children

ACCOUNTS = 16
IN_FLIGHT = 50
"""Calls at once, as the bare loops have them. Our own window, from intent to settlement, is the
usual one: what waits there for its commit is not on its way to anybody."""
SETTINGS = {
    "DISPATCHER_PACING": "false",
    "DISPATCHER_CALLS": str(IN_FLIGHT),
    "GATEWAY_RATE_PER_SECOND": "100000",
    "GATEWAY_RATE_BURST": "100000",
}
SLOWEST = 100
"""Messages per second below which a campaign is given up."""


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
        self.brand = brand
        self._machine = machine
        self._house = house
        self._connection = connection
        self._stub = stub
        self._stub_pid = stub_pid

    async def campaign(self, people: int) -> dict[str, Any]:
        """Send one campaign; return its rate and the processor time of each part per message.

        It is expanded first, while the lanes are held, because expanding is another benchmark.
        """
        campaign_id = await self.expanded(people)
        before = self.cpu()
        await self.let_go()
        began_at = await self.until_settled(campaign_id, people)
        after = self.cpu()
        seconds = time.time() - began_at
        await self.verify(campaign_id, people)
        costs = {f"{k}_cpu_us": (after[k] - before[k]) / people * 1e6 for k in after}
        return {"rate": people / seconds, "seconds": seconds, **costs}

    async def expanded(self, people: int) -> UUID:
        """Launch a campaign with the lanes held; return it with all its messages queued."""
        await self.hold()
        campaign_id = await self.draft()
        await self.launch(campaign_id)
        await self.until_expanded(campaign_id, people)
        return campaign_id

    async def draft(self) -> UUID:
        """Write a story and a campaign for everybody on all accounts; let the stub count anew."""
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
                "account_ids": [str(each) for each in self.brand.accounts],
                "audience": {"everyone": True},
            },
        )
        await self.seen("/reset")
        return UUID(made["id"])

    async def launch(self, campaign_id: UUID) -> None:
        """Launch it; returns when the gateway has answered."""
        await self._post(f"/v1/campaigns/{campaign_id}/launch", None)

    async def cancel(self, campaign_id: UUID) -> None:
        """Cancel it; returns when nothing of it is on its way any more."""
        await self._post(f"/v1/campaigns/{campaign_id}/cancel", None)
        async with asyncio.timeout(60):
            while await self.live(campaign_id):
                await asyncio.sleep(0.05)

    async def totals(self, campaign_id: UUID) -> dict[str, int]:
        """Ask the gateway where its messages are; see that they add up to what was accepted."""
        answer = await self._house.api.get(
            f"/v1/campaigns/{campaign_id}", headers=self.brand.headers
        )
        really(answer.is_success, f"the totals were answered {answer.status_code}")
        told: dict[str, Any] = answer.json()["totals"]
        withheld = sum(told.pop("withheld").values())
        accepted = told.pop("accepted")
        really(sum(told.values()) + withheld == accepted, f"{told} do not add up to {accepted}")
        return {"accepted": accepted, "withheld": withheld, **told}

    async def until_expanded(self, campaign_id: UUID, people: int) -> None:
        """Wait until everybody has a message."""
        async with asyncio.timeout(120 + people / 1_000):
            while not await self._connection.fetchval(
                "SELECT expanded FROM dispatcher.campaign WHERE id = $1", campaign_id
            ):
                await asyncio.sleep(0.02)
        accepted = await self._connection.fetchval(
            "SELECT accepted FROM dispatcher.campaign WHERE id = $1", campaign_id
        )
        really(accepted == people, f"{accepted} messages were accepted, {people} were meant")

    async def hold(self) -> None:
        """Let the lanes be silent."""
        await self._connection.execute(
            "UPDATE dispatcher.lane SET paused_until = now() + interval '1 hour'"
        )

    async def let_go(self) -> None:
        """Let the lanes speak."""
        await self._connection.execute(
            "UPDATE dispatcher.lane SET paused_until = '-infinity', wake_at = now()"
        )

    async def until_settled(self, campaign_id: UUID, people: int) -> float:
        """Wait for the commit of the last settlement; return when the stub saw the first post."""
        seen: Mapping[str, Any] = {}
        try:
            async with asyncio.timeout(60 + people / SLOWEST):
                while (seen := await self.seen())["posts"] < people:
                    await asyncio.sleep(0.05)
                while await self.live(campaign_id):
                    await asyncio.sleep(0.005)
        except TimeoutError as error:
            raise NotReal(f"of {people} messages {seen.get('posts')} came in time") from error
        began_at: float = seen["first_at"]
        return began_at

    async def seen(self, path: str = "/") -> Mapping[str, Any]:
        """Ask the stub what it has seen; /reset lets it count anew after that."""
        # `verify` loads certificates for half of the time between two looks.
        async with httpx.AsyncClient(base_url=self._stub, verify=False) as stub:
            answer = await stub.get(path, timeout=60)
        answer.raise_for_status()
        counted: dict[str, Any] = answer.json()
        return counted

    async def live(self, campaign_id: UUID) -> bool:
        """Say whether a message is still on its way."""
        found: bool = await self._connection.fetchval(
            "SELECT coalesce(sum(number), 0) > 0 FROM dispatcher.tally"
            " WHERE brand_id = $1 AND campaign_id = $2 AND status IN ('queued', 'sending')",
            self.brand.id,
            campaign_id,
        )
        return found

    async def verify(self, campaign_id: UUID, people: int) -> None:
        """See that the platform got each message once and that each is settled with its attempt."""
        sent, attempts = await self._connection.fetchrow(
            "SELECT count(*), count(a.id) FROM dispatcher.message m LEFT JOIN dispatcher.attempt a"
            " ON a.brand_id = m.brand_id AND a.message_id = m.id AND a.outcome = 'sent'"
            " AND a.id = m.attempt_id"
            " WHERE m.brand_id = $1 AND m.campaign_id = $2 AND m.status = 'sent'"
            " AND m.consent_event_id IS NOT NULL",
            self.brand.id,
            campaign_id,
        )
        posts = (await self.seen())["posts"]
        really(
            sent == attempts == posts == people,
            f"of {people}: {posts} posts, {sent} sent, {attempts} attempts",
        )

    def cpu(self) -> dict[str, float]:
        """Return the processor seconds that each process has used so far."""
        return {
            **self._house.cpu_seconds(),
            "postgres": self._machine.postgres_cpu_seconds(),
            "stub": cpu_of_children(self._stub_pid),
        }

    async def _post(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        answer = await self._house.api.post(path, json=body, headers=self.brand.headers)
        really(answer.is_success, f"{path} was answered {answer.status_code}: {answer.text}")
        result: dict[str, Any] = answer.json() if answer.content else {}
        return result
