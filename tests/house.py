"""A whole house in this process: three services on real ports, a real PostgreSQL, the sandbox.

Everything speaks HTTP with everything else as in production; only the processes are shared, so a
test can hold the simulator's gate and read its phones directly.
"""

import asyncio
import base64
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from channels.registry import CHANNELS
from channels.telegram.simulator import OWN_BOT, OWN_TOKEN
from sandbox.app import Sandbox
from services.consent.app import create_app as create_consent
from services.consent.registry import Registry
from services.consent.settings import Settings as ConsentSettings
from services.dispatcher.app import create_app as create_dispatcher
from services.dispatcher.settings import Settings as DispatcherSettings
from services.gateway.app import create_app as create_gateway
from services.gateway.settings import Settings as GatewaySettings
from tests.postgres import Urls

OPERATOR_KEY = "operator-key-of-a-test"
CHANNEL = "telegram"
BOT = str(OWN_BOT)
# Importing a platform's library takes seconds, in which this one loop would do nothing else.
CHANNELS[CHANNEL].load()


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs the test."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _served(app: Any, listening: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", lifespan="on")
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        if task.done():
            await task
            raise RuntimeError("the service did not start")
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


def _listen() -> tuple[socket.socket, str]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    return listening, f"http://127.0.0.1:{listening.getsockname()[1]}"


def _seed() -> tuple[str, str]:
    key = Ed25519PrivateKey.generate()
    seed = base64.b64encode(key.private_bytes_raw()).decode()
    return seed, base64.b64encode(key.public_key().public_bytes_raw()).decode()


@dataclass
class House:
    """What a test may touch: the public API, the platform, and the brand that it speaks as."""

    api: httpx.AsyncClient
    sandbox: Sandbox
    sandbox_url: str
    gateway_url: str
    page_secret: str
    """What the links to people's pages are made with."""
    registry: Registry
    key: str = OPERATOR_KEY
    brand_id: UUID | None = None
    account_id: UUID | None = None

    @property
    def telegram(self) -> Any:
        """The simulated Telegram, with its gate, faults, phones and log."""
        return self.sandbox.world.platform(CHANNEL)

    async def call(self, method: str, path: str, *, expect: int | None = None, **args: Any) -> Any:
        """Call the public API and return its JSON; anything but a success fails the test."""
        headers = {"authorization": f"Bearer {self.key}", **args.pop("headers", {})}
        answer = await self.api.request(method, path, headers=headers, **args)
        wanted = answer.is_success if expect is None else answer.status_code == expect
        assert wanted, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def open_brand(
        self, *, settings: dict[str, Any] | None = None, token: str = OWN_TOKEN
    ) -> None:
        """Make a brand with one connected Telegram account, and speak as it."""
        made = await self.call(
            "POST",
            "/v1/brands",
            json={
                "name": "Aurora",
                "country": "IT",
                "languages": ["it", "en"],
                "timezone": "Europe/Rome",
            },
        )
        self.brand_id, self.key = UUID(made["id"]), made["api_key"]
        self.account_id = await self.open_account(settings=settings, token=token)

    async def open_account(
        self, *, settings: dict[str, Any] | None = None, token: str = OWN_TOKEN
    ) -> UUID:
        """Connect one more Telegram account of the brand that speaks."""
        account = await self.call(
            "POST",
            "/v1/accounts",
            json={
                "channel": CHANNEL,
                "name": "Aurora",
                "credentials": {"token": token, "api_base": f"{self.sandbox_url}/telegram"},
                "settings": settings or {},
            },
        )
        await self.call("POST", f"/v1/accounts/{account['id']}/connect")
        return UUID(account["id"])

    async def people(self, count: int, *, granted: bool = True) -> list[str]:
        """Make people on the platform; they agree through the API unless told otherwise."""
        addresses: list[str] = self.telegram.make_people(BOT, count=count, language="it")
        if granted:
            async with asyncio.TaskGroup() as group:
                for address in addresses:
                    group.create_task(self.consent(address, "grant"))
        return addresses

    async def consent(self, address: str, action: str, **more: Any) -> Any:
        """Grant or revoke by the API."""
        return await self.call(
            "POST",
            "/v1/consents",
            json={
                "account_id": str(self.account_id),
                "address": address,
                "purpose": "marketing",
                "action": action,
                "evidence": {"source": "test", "wording": "Sì", "language": "it"},
                **more,
            },
        )

    async def allowed(self, address: str) -> str:
        """Return why an address may or may not be written to."""
        answer = await self.call(
            "POST",
            "/v1/consents/check",
            json={
                "account_id": str(self.account_id),
                "purpose": "marketing",
                "addresses": [address],
            },
        )
        reason: str = answer["results"][0]["reason"]
        return reason

    async def campaign(self, story: dict[str, Any], **audience: Any) -> str:
        """Make a story and a campaign of it; launch it."""
        told = await self.call("POST", "/v1/stories", json=story)
        made = await self.call(
            "POST",
            "/v1/campaigns",
            json={
                "name": "Autunno",
                "story_id": told["id"],
                "purpose": "marketing",
                "account_ids": [str(self.account_id)],
                "audience": audience or {"everyone": True},
            },
        )
        await self.call("POST", f"/v1/campaigns/{made['id']}/launch")
        campaign_id: str = made["id"]
        return campaign_id

    async def totals(self, campaign_id: str) -> dict[str, Any]:
        """Return a campaign's totals; they must add up at every moment."""
        totals: dict[str, Any] = (await self.call("GET", f"/v1/campaigns/{campaign_id}"))["totals"]
        states = sum(v for k, v in totals.items() if k not in ("accepted", "withheld"))
        assert states + sum(totals["withheld"].values()) == totals["accepted"], totals
        return totals

    async def finished(self, campaign_id: str, *, within: float = 60) -> dict[str, Any]:
        """Wait for the end of a campaign, adding up its totals on the way; return the last."""
        async with asyncio.timeout(within):
            while True:
                totals = await self.totals(campaign_id)
                campaign = await self.call("GET", f"/v1/campaigns/{campaign_id}")
                if campaign["status"] == "finished":
                    return await self.totals(campaign_id)
                assert totals is not None
                await asyncio.sleep(0.05)

    async def until(self, true: Any, *, within: float = 15) -> None:
        """Wait until a look at the house (a function, perhaps a coroutine's) finds it so."""
        async with asyncio.timeout(within):
            while True:
                found = true()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return
                await asyncio.sleep(0.02)

    def shown(self, address: str) -> list[dict[str, Any]]:
        """Return what the brand put on a phone, the oldest first."""
        return [m for m in self.telegram.phone(address) if m["by"] != "person"]

    def tap(self, address: str, data: str) -> None:
        """Let a person tap the newest button whose data begin so."""
        found = [
            button["data"]
            for message in self.shown(address)
            for row in message.get("buttons", ())
            for button in row
            if button.get("data", "").startswith(data)
        ]
        self.telegram.tap(BOT, address, found[-1], None)

    def say(self, address: str, text: str) -> None:
        """Let a person write to the brand."""
        self.telegram.say(BOT, address, text)


@asynccontextmanager
async def a_house(urls: Urls, **dispatcher: Any) -> AsyncIterator[House]:
    """Open a house on this database; extra settings are the dispatcher's."""
    seeds = {name: _seed() for name in ("gateway", "consent", "dispatcher")}
    public = {name: key for name, (_, key) in seeds.items()}
    sockets = {name: _listen() for name in seeds}
    address = {name: url for name, (_, url) in sockets.items()}

    def common(name: str, url: str) -> dict[str, Any]:
        return {
            "database_url": url,
            "service_key": seeds[name][0],
            "service_public_keys": public,
            "sealing_keys": {"1": base64.b64encode(os.urandom(32)).decode()},
            "consent_url": address["consent"],
            "dispatcher_url": address["dispatcher"],
        }

    async with AsyncExitStack() as stack:
        sandbox = Sandbox()
        listener = await stack.enter_async_context(sandbox.serving())
        allowed = (f"127.0.0.1:{listener.port}",)
        consent = ConsentSettings(
            **common("consent", urls.consent),
            ledger_key=_seed()[0],
            suppression_key=_seed()[0],
        )
        dispatching = DispatcherSettings(
            **common("dispatcher", urls.dispatcher), allowed_addresses=allowed, **dispatcher
        )
        letting_in = GatewaySettings(
            **common("gateway", urls.gateway),
            inbox_database_url=urls.inbox,
            public_url=address["gateway"],
            operator_key=OPERATOR_KEY,
            key_pepper=uuid4().hex,
            link_key=uuid4().hex,
            allowed_addresses=allowed,
        )
        registering = create_consent(consent)
        for name, app in (
            ("consent", registering),
            ("dispatcher", create_dispatcher(dispatching)),
            ("gateway", create_gateway(letting_in)),
        ):
            await stack.enter_async_context(_served(app, sockets[name][0]))
        api = await stack.enter_async_context(
            httpx.AsyncClient(base_url=address["gateway"], timeout=30)
        )
        secret = letting_in.link_key[-1].get_secret_value()
        registry = registering.state.registry
        yield House(api, sandbox, listener.base_url, address["gateway"], secret, registry)
