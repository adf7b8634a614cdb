"""A campaign that was really sent to a simulated Telegram, and then a dispatcher worked by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from channels.base.simulator.listening import serving
from channels.registry import CHANNELS
from channels.telegram.simulator import OWN_BOT, Platform
from services.dispatcher.running import endings
from services.dispatcher.work import WorkRunner
from shared.contracts.campaigns import Campaign, Ending
from tests.dispatcher.desk_rig import Rig, a_rig, until
from tests.postgres import Urls

HOUR = 3_600
_TIMES = {
    "attempt": ("started_at", "settled_at"),
    "message": ("created_at", "updated_at"),
    "taking_back": ("over_at", "due_at"),
    "ending": ("begun_at",),
}


@dataclass
class Over:
    """What a test may look at and touch."""

    rig: Rig
    platform: Platform
    campaign: Campaign
    people: list[str]

    async def let_pass(self, seconds: float, *, only: str | None = None) -> None:
        """Let time pass, for the platform and in our rows; `only` for messages to one address."""
        if only is None:
            self.platform.clock.advance(seconds)
        for table, columns in _TIMES.items():
            turned = ", ".join(f"{each} = {each} - make_interval(secs => $1)" for each in columns)
            where = ""
            if only is not None and table in ("attempt", "taking_back"):
                where = " WHERE message_id = (SELECT id FROM dispatcher.message WHERE address = $2)"
            elif only is not None:
                continue
            values = [seconds, only] if where else [seconds]
            await self.rig.sql(f"UPDATE dispatcher.{table} SET {turned}{where}", *values)
        await self.rig.sql(
            "UPDATE dispatcher.work SET due_at = due_at - make_interval(secs => $1)"
            " WHERE kind IN ('end', 'take_back')",
            seconds,
        )

    async def work(self) -> None:
        """Do what is due about stories that are over, until nothing is."""
        runner = WorkRunner(self.rig.desk.database, endings(self.rig.desk))
        while await runner.step():
            continue

    async def due_now(self) -> None:
        """Let the work come up, whatever it waits for."""
        await self.rig.sql(
            "UPDATE dispatcher.work SET due_at = now() WHERE kind IN ('end', 'take_back')"
        )

    async def report(self) -> Ending:
        found = (await self.rig.read(self.campaign)).ending
        assert found is not None
        return found

    def shown(self) -> list[int]:
        """How many messages each phone shows."""
        return [len(self.platform.phone(person)) for person in self.people]

    def calls(self) -> list[str]:
        """What was asked of the platform but sends."""
        return [
            f"{entry['method']}: {entry['outcome']}"
            for entry in self.platform.log.since(0)
            if not entry["method"].startswith("send")
        ]


@asynccontextmanager
async def over(
    urls: Urls,
    *,
    people: int = 3,
    expires_after: int | None = HOUR,
    before: Callable[[Platform], None] = lambda platform: None,
    settled: int | None = None,
    **story: Any,
) -> AsyncIterator[Over]:
    """Send a story to people; then nothing of the dispatcher runs but what a test lets run.

    `before` may let things go wrong on the platform; `settled` is how many messages to wait for.
    """
    await asyncio.to_thread(CHANNELS["telegram"].load)
    platform = Platform()
    addresses = platform.make_people(str(OWN_BOT), count=people)
    async with serving(platform.app()) as listener:
        allowed = (f"127.0.0.1:{listener.port}",)
        async with a_rig(urls, allowed=allowed, alive=True) as sending:
            await sending.open_brand(credentials=platform.credentials(listener.base_url))
            await sending.grant(*addresses)
            before(platform)
            written = await sending.story(expires_after=expires_after, **story)
            campaign = await sending.step(await sending.campaign(story=written), "launch")

            async def done() -> bool:
                now = await sending.read(campaign)
                if settled is not None:
                    return now.totals.sent + now.totals.unknown >= settled
                return now.status == "finished"

            await until(done)
            if settled is not None:
                await sending.step(campaign, "pause")
        async with a_rig(urls, allowed=allowed) as rig:
            rig.brand_id, rig.accounts = sending.brand_id, sending.accounts
            yield Over(rig, platform, campaign, addresses)
    await platform.close()
