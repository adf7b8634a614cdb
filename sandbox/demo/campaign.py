"""The campaign, and the person who says stop in the middle of it."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox.demo.brand import BOT, Brand
from sandbox.demo.house import CHANNEL, House

STOP_AT = 0.4
"""The share of messages that have left when somebody says stop."""
LIVE = ("queued", "claimed", "sending")
ENDED = ("sent", "delivered", "read", "refused", "unknown", "partial", "cancelled")


@dataclass
class Progress:
    """What there is to see at one moment."""

    campaign: dict[str, Any]
    preflight: dict[str, Any]
    stopped: str | None = None
    """The address of who said stop."""
    before: int = 0
    """Messages on that phone when stop was said."""
    confirmed_after: float | None = None
    """Seconds from the word to its confirmation on the phone."""
    phone: list[dict[str, Any]] = field(default_factory=list)

    @property
    def totals(self) -> dict[str, Any]:
        """The campaign's totals."""
        totals: dict[str, Any] = self.campaign["totals"]
        return totals

    @property
    def done(self) -> int:
        """How many messages have come to an end."""
        ended: int = sum(self.totals[name] for name in ENDED)
        withheld: int = sum(self.totals["withheld"].values())
        return ended + withheld

    @property
    def adds_up(self) -> bool:
        """Do all states together make what was accepted?"""
        live: int = sum(self.totals[name] for name in LIVE)
        accepted: int = self.totals["accepted"]
        return self.done + live == accepted


async def run(house: House, brand: Brand, addresses: list[str]) -> AsyncIterator[Progress]:
    """Launch a campaign and watch it; one person says stop on the way."""
    campaign = await house.call(
        "POST",
        "/v1/campaigns",
        json={
            "name": f"Autunno, {datetime.now(UTC):%d.%m. %H:%M:%S}",
            "story_id": brand.story_id,
            "purpose": "marketing",
            "account_ids": [brand.account_id],
            "audience": {"everyone": True},
        },
    )
    path = f"/v1/campaigns/{campaign['id']}"
    preflight = await house.call("POST", f"{path}/preflight")
    progress = Progress(campaign, preflight)
    yield progress
    progress.campaign = await house.call("POST", f"{path}/launch")
    said_at = 0.0
    while True:
        progress.campaign = await house.call("GET", path)
        accepted = progress.totals["accepted"]
        if progress.stopped is None and accepted and progress.done >= accepted * STOP_AT:
            progress.stopped = await _somebody_waiting(house, path)
            if progress.stopped:
                progress.before = len(await _phone(house, progress.stopped))
                said_at = time.monotonic()
                await _say(house, progress.stopped, "basta, grazie")
        if progress.stopped and progress.confirmed_after is None:
            progress.phone = await _phone(house, progress.stopped)
            if any(_is_confirmation(each) for each in progress.phone[progress.before :]):
                progress.confirmed_after = time.monotonic() - said_at
        yield progress
        finished = progress.campaign["status"] in ("finished", "cancelled", "paused")
        waiting = progress.stopped is not None and progress.confirmed_after is None
        if finished and not (waiting and time.monotonic() - said_at < 10):
            break
        await asyncio.sleep(0.1)
    if progress.stopped:
        progress.phone = await _phone(house, progress.stopped)
    yield progress


async def _somebody_waiting(house: House, path: str) -> str | None:
    """Return the address of somebody whose message has not left yet."""
    waiting = await house.call("GET", f"{path}/messages?status=queued&limit=50")
    addresses = [each["address"] for each in waiting["items"]]
    return addresses[-1] if addresses else None


async def _say(house: House, address: str, text: str) -> None:
    said = {"channel": CHANNEL, "account": BOT, "address": address, "text": text}
    await house.control("POST", "/control/say", json=said)


async def _phone(house: House, address: str) -> list[dict[str, Any]]:
    shown = await house.control(
        "GET", "/control/phone", params={"channel": CHANNEL, "address": address}
    )
    messages: list[dict[str, Any]] = shown["messages"]
    return messages


def _is_confirmation(message: dict[str, Any]) -> bool:
    """Is this what the brand answered, and not what the person said?"""
    return message["by"] == "brand" and message["kind"] == "text" and not message["buttons"]
