"""A whole gateway for a test: its app and workers, the real registry, and a desk that records."""

import asyncio
import base64
import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import httpx
import orjson

from services.consent.app import create_app as create_consent
from services.consent.settings import Settings as ConsentSettings
from services.gateway.app import create_app
from services.gateway.settings import Settings
from shared import clock
from shared.clients.consent import ConsentClient
from shared.clients.dispatcher import DispatcherClient
from shared.security.service_tokens import Signer
from tests.gateway.desk import Desk

OPERATOR_KEY = "operator-for-tests"
BRAND = {"name": "Aurora", "country": "IT", "languages": ["it"], "timezone": "Europe/Rome"}
TOKEN = "1234567890:AbCdEfGhIjKlMnOpQrStUvWxYz012345678"


def random_key():
    return base64.b64encode(os.urandom(32)).decode()


@dataclass
class Account:
    """An account that is ready to receive."""

    id: UUID
    channel: str
    secret: str
    path: str


@dataclass
class Gateway:
    """A gateway that runs."""

    app: object
    http: httpx.AsyncClient
    desk: Desk
    consent_app: object
    consent_down: asyncio.Event

    @property
    def house(self):
        return self.app.state.house

    async def brand(self, **changes):
        """Make a brand; return its id and a client that has its first key."""
        headers = {"authorization": f"Bearer {OPERATOR_KEY}"}
        answer = await self.http.post("/v1/brands", json={**BRAND, **changes}, headers=headers)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        return UUID(made["id"]), self.client(made["api_key"])

    def client(self, key, **headers):
        return httpx.AsyncClient(
            transport=self.http._transport,
            base_url="http://gateway",
            headers={"authorization": f"Bearer {key}", **headers},
            timeout=30,
        )

    async def telegram(self, client, token=TOKEN):
        """Add a Telegram account and return it with its webhook secret."""
        body = {"channel": "telegram", "name": "bot", "credentials": {"token": token}}
        answer = await client.post("/v1/accounts", json=body)
        assert answer.status_code == 201, answer.text
        account_id = UUID(answer.json()["id"])
        await client.post(f"/v1/accounts/{account_id}/connect")
        where = self.desk.connected[account_id]
        path = httpx.URL(where.webhook_url).path
        return Account(account_id, "telegram", where.secret, path)

    async def hears(self, account, update, *, secret=None):
        """Let Telegram post an update (bytes go as they are)."""
        body = update if isinstance(update, bytes) else orjson.dumps(update)
        header = account.secret if secret is None else secret
        return await self.http.post(
            account.path, content=body, headers={"x-telegram-bot-api-secret-token": header}
        )

    async def settle(self):
        """Wait until nothing of the inbox waits any more."""

        async def empty():
            async with self.house.database.connection() as connection:
                return not await connection.fetchval("SELECT count(*) FROM gateway.work")

        await until(empty)

    async def rows(self, brand_id):
        """Return the brand's inbox, the oldest first."""
        async with self.house.database.connection(brand_id) as connection:
            return await connection.fetch("SELECT * FROM gateway.inbox ORDER BY received_at, id")


async def until(condition, *, within=20):
    """Wait until something is so."""
    async with asyncio.timeout(within):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


def message(update_id, text, *, chat=42, at=None):
    """Return a Telegram update with words in a private chat."""
    person = {"id": chat, "is_bot": False, "first_name": "Ada", "language_code": "it"}
    date = int((at or clock.now()).timestamp())
    return {
        "update_id": update_id,
        "message": {
            "message_id": update_id,
            "date": date,
            "chat": {"id": chat, "type": "private", "first_name": "Ada"},
            "from": person,
            "text": text,
        },
    }


def tap(update_id, data, *, chat=42):
    """Return a Telegram update with a tap on a button."""
    person = {"id": chat, "is_bot": False, "first_name": "Ada"}
    return {
        "update_id": update_id,
        "callback_query": {
            "id": f"tap-{update_id}",
            "from": person,
            "chat_instance": "1",
            "data": data,
            "message": {"message_id": 5, "date": 1, "chat": {"id": chat, "type": "private"}},
        },
    }


def membership(update_id, status, *, chat=42):
    """Return a Telegram update that says that a person blocked the bot, or took it back."""
    person = {"id": chat, "is_bot": False, "first_name": "Ada"}
    bot = {"id": 1, "is_bot": True, "first_name": "bot"}
    old = "member" if status == "kicked" else "kicked"
    return {
        "update_id": update_id,
        "my_chat_member": {
            "chat": {"id": chat, "type": "private"},
            "from": person,
            "date": int(clock.now().timestamp()),
            "old_chat_member": {"user": bot, "status": old, "until_date": 0},
            "new_chat_member": {"user": bot, "status": status, "until_date": 0},
        },
    }


class Switch(httpx.AsyncBaseTransport):
    """Reaches an app in process, unless it is switched off."""

    def __init__(self, app, off):
        self._inner = httpx.ASGITransport(app)
        self._off = off

    async def handle_async_request(self, request):
        if self._off.is_set():
            raise httpx.ConnectError("switched off", request=request)
        return await self._inner.handle_async_request(request)


def settings_for(urls, **changes):
    given = {
        "database_url": urls.gateway,
        "inbox_database_url": urls.inbox,
        "public_url": "http://gateway",
        "service_key": random_key(),
        "sealing_keys": {"k1": random_key()},
        "operator_key": OPERATOR_KEY,
        "key_pepper": "pepper-for-tests",
        "link_key": "links-for-tests",
    }
    return Settings(**{**given, **changes})


@asynccontextmanager
async def running(urls, *, desk=None, settings=None, intake=None):
    """Run a gateway on a database until the block ends."""
    settings = settings or settings_for(urls)
    signer = Signer("gateway", settings.service_key.get_secret_value())
    desk = desk or Desk(signer.public_key)
    consent_app = create_consent(
        ConsentSettings(
            database_url=urls.consent,
            service_key=random_key(),
            service_public_keys={"gateway": signer.public_key},
            sealing_keys={"k1": random_key()},
            ledger_key=random_key(),
            suppression_key="C" * 43,
        )
    )
    consent_down = asyncio.Event()
    consent = ConsentClient("http://consent", signer, transport=Switch(consent_app, consent_down))
    dispatcher = DispatcherClient("http://desk", signer, transport=httpx.ASGITransport(desk.app()))
    app = create_app(settings, consent=consent, dispatcher=dispatcher)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(consent_app.router.lifespan_context(consent_app))
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        http = httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=30)
        await stack.enter_async_context(http)
        yield Gateway(app, http, desk, consent_app, consent_down)
