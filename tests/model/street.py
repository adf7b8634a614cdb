"""A street of the town: one brand with two bots, its own clock, and what was posted to it.

Several streets share a house and know nothing of each other, so that one of them acts while another
waits for the database. The clock of a street is turned by turning its rows back, since nobody can
turn the database's: one step lasts a minute, whatever it took.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Thread
from typing import Any
from uuid import UUID

import asyncpg

from services.consent import policy
from services.consent.expiry import Expiry
from services.consent.pause_ends import PauseEnds
from services.consent.queries import checks
from tests.house import House
from tests.model.book import ACCOUNTS, PURPOSES

STEP = timedelta(minutes=1)
"""More than a whole example takes: whoever speaks in the next step speaks later."""
ENDS = ("sent", "withheld", "refused", "unknown", "cancelled")
EVERYTHING = tuple((account, purpose) for account in ACCOUNTS for purpose in PURPOSES)
_LOOK_AGAIN = 0.01
_WORK = "SELECT EXISTS (SELECT FROM gateway.work WHERE brand_id = $1)"
_ON_ITS_WAY = """
SELECT EXISTS (SELECT FROM dispatcher.message WHERE brand_id = $1 AND address = $2
    AND status IN ('queued', 'sending'))
"""
_STATUS = "SELECT status FROM dispatcher.message WHERE id = $1"

_EVENTS = "SELECT id FROM consent.event WHERE brand_id = '{brand}' AND seq > {floor}"
_PEOPLE = """
SELECT FROM consent.person p JOIN consent.identity i
    ON i.brand_id = p.brand_id AND i.person_id = p.id
WHERE i.brand_id = '{brand}' AND i.address IN ({addresses}) ORDER BY p.id FOR UPDATE OF p
"""
_SINCE = "brand_id = '{brand}' AND seq > {floor}"
_TURNED_BACK = (
    ("expiry", ("expires_at",), f"event_id IN ({_EVENTS})"),
    ("state", ("expires_at", "paused_until"), _SINCE),
    ("denial", ("platform_at",), _SINCE),
    ("suppression", ("platform_at",), _SINCE),
    ("pause", ("until", "platform_at"), _SINCE),
    ("pause_due", ("due_at",), f"event_id IN ({_EVENTS})"),
    ("review", ("due_at",), _SINCE),
    ("question", ("asked_at",), "brand_id = '{brand}' AND address IN ({addresses})"),
    ("address", ("blocked_at",), "brand_id = '{brand}' AND address IN ({addresses})"),
)
"""Every moment by which the registry decides, and how to find those of an example."""


class Line:
    """A loop of its own, in which the house lives while the steps are plain calls."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(120)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass
class Owner:
    """A connection of the database's owner, who sees everything; for one at a time."""

    connection: asyncpg.Connection
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def see(self, statement: str, *of: object) -> Any:
        async with self.lock:
            return await self.connection.fetchval(statement, *of)

    async def do(self, statements: str) -> None:
        async with self.lock:
            await self.connection.execute(statements)


@dataclass
class Street:
    """A brand of the house, and its side of the platform."""

    house: House
    owner: "Owner"
    bots: Mapping[str, str]
    accounts: Mapping[str, UUID]
    posted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    ahead: timedelta = timedelta()
    _began: datetime = field(default_factory=lambda: datetime.now(UTC))
    _floor: int = 0
    _addresses: Sequence[str] = ()
    _numbers: Iterator[int] = field(default_factory=lambda: count(100_000))

    async def begin(self, *, asks_twice: bool, people: int) -> list[str]:
        """Begin an example with new people; return their addresses."""
        await self.house.call("PATCH", "/v1/policy", json={"double_opt_in": asks_twice})
        self.posted.clear()
        self._floor = await self.owner.see("SELECT coalesce(max(seq), 0) FROM consent.event")
        self.ahead = timedelta()
        # A second that is over: the database's clock is not behind it.
        self._began = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)
        self._addresses = addresses = self.telegram.make_people(
            self.bots[ACCOUNTS[0]], count=people
        )
        for address in addresses:
            self.telegram.make_people(self.bots[ACCOUNTS[1]], address=address)
        return addresses

    @property
    def telegram(self) -> Any:
        return self.house.telegram

    # The clock

    def now(self) -> datetime:
        """Return the time of this street."""
        return datetime.now(UTC) + self.ahead

    def here(self, told: str | datetime) -> datetime:
        """Return a moment of the database's clock, told just now, as the time of this street."""
        return (datetime.fromisoformat(told) if isinstance(told, str) else told) + self.ahead

    def said(self, late: int) -> datetime:
        """Return when somebody spoke whose words come so many steps late, as Telegram tells it."""
        return self._began + self.ahead - late * STEP

    async def pass_time(self, time: timedelta) -> None:
        """Turn the clock, and let end what has ended."""
        turned = [
            f"UPDATE consent.{table} SET "
            + ", ".join(f"{moment} = {moment} - {{time}}" for moment in moments)
            + f" WHERE {those}"
            for table, moments, those in _TURNED_BACK
        ]
        # Locked in the order of the house's own workers, who may be at it at this moment.
        turned.insert(1, _PEOPLE)
        facts = {
            "brand": self.house.brand_id,
            "floor": self._floor,
            "addresses": ", ".join(f"'{address}'" for address in self._addresses),
            "time": f"interval '{time.total_seconds()}s'",
        }
        await self.owner.do(";".join(turned).format_map(facts))
        self.ahead += time
        if time > STEP:
            for worker in (PauseEnds(self.house.registry), Expiry(self.house.registry)):
                while await worker.step():
                    pass

    # The platform's side

    async def write(self, address: str, account: str, text: str, *, at: datetime) -> None:
        """Let Telegram post what a person wrote at that second."""
        number = next(self._numbers)
        message = {"message_id": number, **self._chat(address), "date": self._told(at)}
        if text.startswith("/"):
            length = len(text.split()[0])
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": length}]
        await self.post(account, {"message": {**message, "text": text}})

    async def tap(self, address: str, account: str, data: str) -> None:
        """Let Telegram post that a button was tapped just now."""
        chat = self._chat(address)
        message = {"message_id": 1, "chat": chat["chat"], "date": 0}
        query = {"from": chat["from"], "message": message, "data": data}
        await self.post(account, {"callback_query": query})

    async def belong(self, address: str, account: str, status: str, *, at: datetime) -> None:
        """Let Telegram post that the bot was blocked (`kicked`) or is back (`member`)."""
        member = {"new_chat_member": {"status": status}}
        change = {**self._chat(address), "date": self._told(at), **member}
        await self.post(account, {"my_chat_member": change})

    async def post(self, account: str, update: dict[str, Any]) -> None:
        """Post an update, and wait until it was carried out."""
        update = {"update_id": next(self._numbers), **update}
        self.posted.append((account, update))
        await self.post_again(account, update)

    async def post_again(self, account: str, update: dict[str, Any]) -> None:
        """Post it as it is, perhaps not for the first time."""
        secret = self.telegram.account(self.bots[account]).webhook.secret
        answer = await self.house.api.post(
            f"/webhooks/telegram/{self.accounts[account]}",
            json=update,
            headers={"x-telegram-bot-api-secret-token": secret},
        )
        assert answer.status_code == 200, answer.text
        while await self.owner.see(_WORK, self.house.brand_id):
            await asyncio.sleep(_LOOK_AGAIN)

    def _told(self, at: datetime) -> int:
        return int((at - self.ahead).timestamp())

    @staticmethod
    def _chat(address: str) -> dict[str, Any]:
        who = {"id": int(address), "first_name": "Ada"}
        sender = {**who, "is_bot": False, "language_code": "it"}
        return {"from": sender, "chat": {**who, "type": "private"}}

    def shown(self, address: str, account: str) -> list[dict[str, Any]]:
        """Return what this account put on a phone, in order."""
        messages = self.telegram.phone(address, self.bots[account])
        return [message for message in messages if message["by"] != "person"]

    async def still(self, address: str) -> None:
        """Wait until nothing is on its way to a person."""
        while await self.owner.see(_ON_ITS_WAY, self.house.brand_id, address):
            await asyncio.sleep(_LOOK_AGAIN)

    # The brand's side

    async def consent(self, address: str, account: str, action: str, **more: Any) -> Any:
        """Grant, revoke or pause by the API."""
        account_id = str(self.accounts[account])
        return await self.house.consent(address, action, account_id=account_id, **more)

    async def bring_file(self, account: str, purpose: str, addresses: list[str]) -> None:
        """Import these people."""
        rows = [f"{address},till,Sì" for address in addresses]
        made = await self.house.call(
            "POST",
            "/v1/consents/imports",
            params={"account_id": str(self.accounts[account]), "purpose": purpose},
            content="\n".join(["address,source,wording", *rows]).encode(),
            headers={"content-type": "text/csv"},
        )
        assert made["rows"] == len(addresses), made

    async def erase(self, address: str) -> datetime | None:
        """Erase whoever is at an address; None where nobody is known there."""
        asked = {"account_id": str(self.accounts[ACCOUNTS[0]]), "address": address}
        found = await self.house.call("GET", "/v1/people", params=asked)
        if not found["items"]:
            return None
        erased = await self.house.call("DELETE", f"/v1/people/{found['items'][0]['id']}")
        return self.here(erased["erased_at"])

    async def send(self, address: str, account: str, purpose: str, text: str) -> str:
        """Send one message; return what became of it."""
        body = {
            "account_id": str(self.accounts[account]),
            "address": address,
            "purpose": purpose,
            "content": {"text": text},
        }
        made = await self.house.call("POST", "/v1/messages", json=body)
        status = made["status"]
        while status not in ENDS:
            await asyncio.sleep(_LOOK_AGAIN)
            status = await self.owner.see(_STATUS, UUID(made["id"]))
        return str(status)

    async def states(self, addresses: list[str]) -> dict[tuple[str, str], list[str]]:
        """Return what the registry finds for each address, by account and purpose."""
        brand_id, found = self.house.brand_id, {}
        assert brand_id is not None
        async with self.house.registry.database.connection(brand_id) as connection:
            for account, purpose in EVERYTHING:
                rows = await checks.states(
                    connection,
                    brand_id=brand_id,
                    account_id=self.accounts[account],
                    purposes=policy.purposes_asked(purpose),
                    addresses=addresses,
                )
                found[account, purpose] = [_reason(*row) for row in rows]
        return found

    async def answers(self, addresses: list[str]) -> dict[tuple[str, str], list[str]]:
        """Return the same as the house answers it to the brand."""
        found = {}
        for account, purpose in EVERYTHING:
            body = {
                "account_id": str(self.accounts[account]),
                "purpose": purpose,
                "addresses": addresses,
            }
            told = await self.house.call("POST", "/v1/consents/check", json=body)
            found[account, purpose] = [each["reason"] for each in told["results"]]
        return found


def _reason(status: str | None, blocked: Any, expired: Any, paused: Any, *_: object) -> str:
    permitted = policy.permitted(
        status, blocked=bool(blocked), expired=bool(expired), paused=bool(paused)
    )
    return permitted.reason
