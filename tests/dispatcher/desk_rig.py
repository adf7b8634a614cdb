"""A dispatcher whose work is done step by step, with a real registry beside it, both in process."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI
from PIL import Image

from channels.telegram.simulator import OWN_TOKEN
from services.consent.app import create_app as create_consent
from services.consent.registry import Registry
from services.consent.settings import Settings as ConsentSettings
from services.dispatcher.app import create_app
from services.dispatcher.desk import Desk
from services.dispatcher.running import handlers
from services.dispatcher.settings import Settings
from services.dispatcher.work import WorkRunner
from shared.clients.consent import ConsentClient
from shared.clients.dispatcher import DispatcherClient
from shared.contracts.accounts import AccountSetup
from shared.contracts.campaigns import Campaign, CampaignIn, Story, StoryIn
from shared.contracts.consent import (
    AccountFacts,
    BrandFacts,
    ConsentEventIn,
    Evidence,
    PersonChange,
    Profile,
)
from shared.contracts.messages import Message
from shared.ids import new_id
from shared.security.service_tokens import ServiceCalls, Signer
from tests.postgres import Urls

GATEWAY = Signer("gateway", bytes(range(32)))
DISPATCHER = Signer("dispatcher", bytes(range(1, 33)))
SEALING = {"k1": "A" * 43}


def picture(color: str = "tomato", size: tuple[int, int] = (40, 60), kind: str = "JPEG") -> bytes:
    """A small picture."""
    made = io.BytesIO()
    Image.new("RGB", size, color).save(made, kind)
    return made.getvalue()


@dataclass
class Rig:
    """A brand with one Telegram account, and what a test says to the two services."""

    app: FastAPI
    desk: Desk
    dispatcher: DispatcherClient
    consent: ConsentClient
    http: httpx.AsyncClient
    registry: Registry
    """What consent works with, for what it does by itself."""
    brand_id: UUID = field(default_factory=new_id)
    accounts: list[UUID] = field(default_factory=list)
    credentials: dict[str, Any] | None = None
    """What the brand was opened with."""

    @property
    def account_id(self) -> UUID:
        return self.accounts[0]

    def path(self, *steps: object) -> str:
        return "/".join((f"/v1/brands/{self.brand_id}", *map(str, steps)))

    async def open_brand(self, *, credentials: dict[str, Any] | None = None) -> None:
        self.credentials = credentials
        await self.consent.put_brand(
            BrandFacts(
                id=self.brand_id,
                name="Aurora",
                country="IT",
                languages=("it",),
                timezone="Europe/Rome",
            )
        )
        await self.add_account(credentials=credentials)

    async def add_account(
        self,
        *,
        channel: str = "telegram",
        credentials: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> UUID:
        account_id = new_id()
        await self.consent.put_account(
            AccountFacts(id=account_id, brand_id=self.brand_id, channel=channel)
        )
        await self.dispatcher.put_account(
            AccountSetup(
                id=account_id,
                brand_id=self.brand_id,
                channel=channel,
                name="Aurora",
                credentials=credentials or {"token": OWN_TOKEN},
                settings=settings or {},
            )
        )
        self.accounts.append(account_id)
        return account_id

    async def grant(
        self, *addresses: str, language: str | None = "it", timezone: str | None = None
    ) -> None:
        for address in addresses:
            told = await self.say("grant", address, profile=Profile(language=language))
            if timezone is not None:
                await self.consent.change_person(
                    self.brand_id, told.person_id, PersonChange(timezone=timezone)
                )

    async def say(self, action: str, address: str, **more: Any) -> Any:
        event = {
            "id": new_id(),
            "brand_id": self.brand_id,
            "action": action,
            "account_id": self.account_id,
            "address": address,
            "evidence": Evidence(source="test"),
            **more,
        }
        return await self.consent.record(ConsentEventIn(**event))

    async def story(self, **fields: Any) -> Story:
        wanted = {"title": "Autunno", "language": "it", "frames": [{"text": "Ciao"}], **fields}
        return await self.dispatcher.put_story(
            self.brand_id, new_id(), StoryIn.model_validate(wanted)
        )

    async def campaign(self, *, story: Story | None = None, **fields: Any) -> Campaign:
        wanted = {
            "name": "Lancio",
            "story_id": (story or await self.story()).id,
            "account_ids": self.accounts,
            "audience": {"everyone": True},
            **fields,
        }
        return await self.dispatcher.put_campaign(
            self.brand_id, new_id(), CampaignIn.model_validate(wanted)
        )

    async def step(self, campaign: Campaign, what: Any) -> Campaign:
        return await self.dispatcher.step_campaign(self.brand_id, campaign.id, what)

    async def read(self, campaign: Campaign) -> Campaign:
        return await self.dispatcher.get_campaign(self.brand_id, campaign.id)

    async def messages(self, campaign: Campaign) -> list[Message]:
        page = await self.dispatcher.campaign_messages(self.brand_id, campaign.id, limit=200)
        return list(page.items)

    async def work(self) -> None:
        """Do what is due until nothing is."""
        runner = WorkRunner(self.desk.database, handlers(self.desk))
        while await runner.step():
            continue

    async def work_kinds(self) -> list[str]:
        """What is on the list, due or not; but for the upkeep of the tally."""
        async with self.desk.database.connection() as connection:
            rows = await connection.fetch(
                "SELECT kind FROM dispatcher.work WHERE brand_id = $1 AND kind <> 'tally'"
                " ORDER BY kind",
                self.brand_id,
            )
        return [row[0] for row in rows]

    async def sql(self, statement: str, *values: object) -> list[Any]:
        async with self.desk.database.connection(self.brand_id) as connection:
            rows: list[Any] = await connection.fetch(statement, *values)
        return rows

    async def events(self, kind: str | None = None) -> list[Any]:
        page = await self.dispatcher.events(self.brand_id, type=kind, limit=200)
        return list(page.items)


@asynccontextmanager
async def a_rig(
    urls: Urls, *, allowed: tuple[str, ...] = (), alive: bool = False, **settings: Any
) -> AsyncIterator[Rig]:
    """Open both services on this database; `alive` lets the dispatcher's workers run."""
    consent_app = create_consent(
        ConsentSettings.model_validate(
            {
                "database_url": urls.consent,
                "service_key": "unused",
                "service_public_keys": {
                    "gateway": GATEWAY.public_key,
                    "dispatcher": DISPATCHER.public_key,
                },
                "sealing_keys": SEALING,
                "ledger_key": seed(),
                "suppression_key": seed(),
                "pool_size": 4,
            }
        )
    )
    app = create_app(
        Settings.model_validate(
            {
                "database_url": urls.dispatcher,
                "service_key": seed(),
                "service_public_keys": {"gateway": GATEWAY.public_key},
                "sealing_keys": SEALING,
                "consent_url": "http://consent",
                "allowed_addresses": allowed,
                "pool_size": 8,
                **settings,
            }
        ),
        consent=httpx.ASGITransport(consent_app),
    )
    desk: Desk = app.state.desk
    dispatcher = DispatcherClient("http://d", GATEWAY, transport=httpx.ASGITransport(app))
    consent = ConsentClient("http://c", GATEWAY, transport=httpx.ASGITransport(consent_app))
    http = httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://d",
        auth=ServiceCalls(GATEWAY, audience="dispatcher"),
    )
    try:
        rig = Rig(app, desk, dispatcher, consent, http, consent_app.state.registry)
        if alive:
            async with app.router.lifespan_context(app):
                yield rig
        else:
            yield rig
    finally:
        for client in (dispatcher, consent, desk.accounts, desk.callbacks, desk.consent):
            await client.close()
        await desk.media.close()
        await http.aclose()
        await desk.database.close()
        await consent_app.state.registry.database.close()


async def until(look: Callable[[], Awaitable[object]]) -> None:
    """Look into the house until there is something to see."""
    async with asyncio.timeout(60):
        while not await look():
            await asyncio.sleep(0.02)


def seed() -> str:
    """The dispatcher's own seed, as settings hold it."""
    return base64.b64encode(bytes(range(1, 33))).decode()
