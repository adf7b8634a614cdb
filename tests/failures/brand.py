"""A brand at the public API of a house of processes, and the platform's side of its story."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg

from tests.failures.checks import Entry, add_up, ended
from tests.processes import Processes

_BOTS = count(8_100_001)
AWAY = 0
"""The status of a call that got no answer at all."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account of the brand, and the platform's number of the bot behind it."""

    id: str
    bot: int


@dataclass
class Brand:
    """What a test may do: call the API, play people and the platform, read the platform's log."""

    http: aiohttp.ClientSession
    processes: Processes
    owner_url: str
    key: str = ""
    id: str = ""
    accounts: list[Account] = field(default_factory=list)
    """The first is the one that is meant where none is named."""
    polls: int = 0
    """How often totals were read and found to add up."""
    _since: int = 0
    _read: list[Entry] = field(default_factory=list)

    @property
    def account_id(self) -> str:
        """The first account."""
        return self.accounts[0].id

    @property
    def bot(self) -> int:
        """The first account's bot."""
        return self.accounts[0].bot

    # The public API

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> tuple[int, Any]:
        """Call once; return status and JSON, or `AWAY` where nobody answered."""
        head = {"authorization": f"Bearer {self.key}", **(headers or {})}
        url = self.processes.url("gateway") + path
        try:
            async with self.http.request(method, url, json=body, headers=head, **more) as answer:
                known = answer.content_type.endswith("json")
                return answer.status, await answer.json(content_type=None) if known else None
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            return AWAY, None

    async def call(self, method: str, path: str, *, body: Any = None, **more: Any) -> Any:
        """Call; anything but a success fails the test."""
        status, answer = await self.ask(method, path, body=body, **more)
        assert 200 <= status < 300, f"{method} {path}: {status} {answer}"
        return answer

    async def insist(
        self, method: str, path: str, *, body: Any = None, within: float = 60.0
    ) -> Any:
        """Call under one Idempotency-Key until it is done, as a careful client does."""
        headers = {"idempotency-key": uuid4().hex}
        async with asyncio.timeout(within):
            while True:
                status, answer = await self.ask(method, path, body=body, headers=headers)
                if 200 <= status < 300:
                    return answer
                again = status in (AWAY, 409, 429) or status >= 500
                assert again, f"{method} {path}: {status} {answer}"
                await asyncio.sleep(0.1)

    def consent(self, address: str, action: str) -> dict[str, Any]:
        """Return the body of a grant or a revocation."""
        return {
            "account_id": self.account_id,
            "address": address,
            "purpose": "marketing",
            "action": action,
            "evidence": {"source": "test", "wording": "Sì", "language": "it"},
        }

    async def revoke(self, address: str) -> tuple[int, float]:
        """Revoke; return CLOCK_MONOTONIC (ns) at the answer, and the seconds that it took."""
        began = time.monotonic()
        answer = await self.call("POST", "/v1/consents", body=self.consent(address, "revoke"))
        assert answer["state"] == "revoked", answer
        return time.monotonic_ns(), time.monotonic() - began

    async def open_account(
        self, *, per_second: float | None, api_base: str | None = None
    ) -> Account:
        """Connect one more bot, at this pace or the usual one; the platform has no limits for it.

        `api_base` is where the dispatcher finds the platform, if not at its door.
        """
        bot = next(_BOTS)
        credentials = {
            "token": f"{bot}:AAE-of_a_test",
            "api_base": f"{api_base or self.processes.url('sandbox')}/telegram",
        }
        body = {
            "channel": "telegram",
            "name": "Aurora",
            "credentials": credentials,
            "settings": {} if per_second is None else {"per_second": per_second},
        }
        made = Account((await self.call("POST", "/v1/accounts", body=body))["id"], bot)
        self.accounts.append(made)
        await self.call("POST", f"/v1/accounts/{made.id}/connect")
        limits = {"per_second": 0, "chat_per_second": 0, "group_per_minute": 0}
        await self.control("POST", "limits", limits, account=made)
        return made

    async def draft(
        self,
        story: dict[str, Any],
        addresses: Sequence[str] | None = None,
        *,
        accounts: Sequence[Account] = (),
    ) -> str:
        """Make a story and a campaign of it, for everyone or for these."""
        told = await self.call("POST", "/v1/stories", body=story)
        audience = {"everyone": True} if addresses is None else {"addresses": list(addresses)}
        campaign = {
            "name": "Autunno",
            "story_id": told["id"],
            "purpose": "marketing",
            "account_ids": [each.id for each in accounts or self.accounts[:1]],
            "audience": audience,
        }
        return str((await self.call("POST", "/v1/campaigns", body=campaign))["id"])

    async def keep_to(self, per_second: float) -> None:
        """Set the account's pace; it is used as it was read for a second."""
        settings = {"per_second": per_second}
        await self.call("PATCH", f"/v1/accounts/{self.account_id}", body={"settings": settings})
        await asyncio.sleep(1.1)

    async def launch(
        self,
        story: dict[str, Any],
        addresses: Sequence[str] | None = None,
        *,
        accounts: Sequence[Account] = (),
    ) -> str:
        """Make a campaign and launch it, however often that takes."""
        campaign_id = await self.draft(story, addresses, accounts=accounts)
        await self.insist("POST", f"/v1/campaigns/{campaign_id}/launch")
        return campaign_id

    async def look(self, campaign_id: str) -> dict[str, Any] | None:
        """Return a campaign, whose totals must add up; None while nobody answers."""
        status, campaign = await self.ask("GET", f"/v1/campaigns/{campaign_id}")
        if status == AWAY or status >= 500:
            return None
        assert status == 200, campaign
        add_up(campaign["totals"])
        self.polls += 1
        return dict(campaign)

    async def progress(self, campaign_id: str, done: int, *, within: float = 60.0) -> None:
        """Wait until so many messages have come to an end, or the campaign has."""
        async with asyncio.timeout(within):
            while True:
                campaign = await self.look(campaign_id)
                if campaign and (
                    campaign["status"] == "finished" or ended(campaign["totals"]) >= done
                ):
                    return
                await asyncio.sleep(0.05)

    async def finished(self, campaign_id: str, *, within: float = 60.0) -> dict[str, Any]:
        """Wait for the end; return the totals, which added up at every poll on the way."""
        last: dict[str, Any] | None = None
        try:
            async with asyncio.timeout(within):
                while True:
                    campaign = await self.look(campaign_id)
                    if campaign and campaign["status"] == "finished":
                        return dict(campaign["totals"])
                    last = campaign or last
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"not finished in {within} s: {last}") from None

    async def addresses_of(self, campaign_id: str, status: str) -> list[str]:
        """Return the addresses of a campaign's messages in this state."""
        found: list[str] = []
        cursor = ""
        while True:
            more = f"&cursor={cursor}" if cursor else ""
            page = await self.call(
                "GET", f"/v1/campaigns/{campaign_id}/messages?status={status}&limit=100{more}"
            )
            found += [message["address"] for message in page["items"]]
            if not (cursor := page["next"] or ""):
                return found

    async def rows(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Look into the database as its owner, where the API has no question for it."""
        connection = await asyncpg.connect(self.owner_url)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    async def attempts(self, outcome: str) -> int:
        """Count this account's attempts that ended so."""
        found = await self.rows(
            "SELECT count(*) FROM dispatcher.attempt"
            " WHERE account_id = $1::text::uuid AND outcome = $2",
            self.account_id,
            outcome,
        )
        return int(found[0][0])

    async def in_flight(self) -> list[str]:
        """Return the addresses of this account that are between intent and settlement."""
        found = await self.rows(
            "SELECT address FROM dispatcher.message"
            " WHERE account_id = $1::text::uuid AND status = 'sending'",
            self.account_id,
        )
        return [row["address"] for row in found]

    async def order_of(self, campaign_id: str) -> list[str]:
        """Return a campaign's addresses in the order in which it goes through them."""
        found = await self.rows(
            "SELECT m.address FROM dispatcher.slip s CROSS JOIN LATERAL"
            " unnest(s.messages) WITH ORDINALITY AS u(id, n)"
            " JOIN dispatcher.message m"
            " ON m.brand_id = s.brand_id AND m.day = s.day AND m.id = u.id"
            " WHERE s.queue_id = $1::text::uuid ORDER BY s.due_at, s.id, u.n",
            campaign_id,
        )
        return [row["address"] for row in found]

    # The platform's side

    async def control(
        self, method: str, path: str, body: Any = None, *, account: Account | None = None
    ) -> Any:
        """Call the sandbox's control side, about one of our bots where it takes one."""
        if body is not None:
            whose = {} if path == "gate" else {"account": (account or self.accounts[0]).bot}
            body = {"channel": "telegram", **whose, **body}
        url = f"{self.processes.url('sandbox')}/control/{path}"
        async with self.http.request(method, url, json=body) as answer:
            assert answer.status < 300, f"{path}: {answer.status} {await answer.text()}"
            return await answer.json() if answer.status != 204 else None

    async def people(
        self, number: int, *, account: Account | None = None, language: str = "it"
    ) -> list[str]:
        """Make people on the platform who agreed before this test began."""
        body = {"count": number, "language": language}
        made = await self.control("POST", "people", body, account=account)
        addresses = [person["address"] for person in made["people"]]
        await self._agreed(account or self.accounts[0], addresses, language)
        return addresses

    async def _agreed(self, account: Account, addresses: list[str], language: str) -> None:
        """Write grants into the registry as it would: thousands, where its API takes one each."""
        connection = await asyncpg.connect(self.owner_url)
        try:
            await connection.execute("SELECT set_config('app.brand', $1, false)", self.id)
            await connection.execute(_AGREED, self.id, account.id, addresses, language)
        finally:
            await connection.close()

    async def say(self, address: str, text: str) -> None:
        """Let a person write."""
        await self.control("POST", "say", {"address": address, "text": text})

    async def log(self) -> list[Entry]:
        """Return every call for our bots, in the order in which they ended."""
        ours = {str(account.bot) for account in self.accounts}
        while True:
            page = await self.control("GET", f"log?since={self._since}&limit=100000")
            self._read += [
                Entry(**{name: item[name] for name in Entry.__slots__})
                for item in page["items"]
                if item["account"] in ours
            ]
            if page["items"]:
                self._since = page["items"][-1]["seq"]
            if page["next"] is None:
                return self._read

    async def taken(self) -> Counter[tuple[str, str]]:
        """Return how often each (address, method) was taken by the platform."""
        return Counter((e.address or "", e.method) for e in await self.log() if e.is_message)


_AGREED = """
WITH person AS (
    INSERT INTO consent.person (brand_id, id, language)
    SELECT $1::text::uuid, gen_random_uuid(), $4 FROM unnest($3::text[]) RETURNING id),
named AS (
    SELECT p.id, a.address FROM (SELECT id, row_number() OVER () AS n FROM person) p
    JOIN unnest($3::text[]) WITH ORDINALITY AS a(address, n) USING (n)),
identity AS (
    INSERT INTO consent.identity (brand_id, channel, address, person_id)
    SELECT $1::text::uuid, 'telegram', address, id FROM named),
address AS (
    INSERT INTO consent.address (brand_id, account_id, address, person_id)
    SELECT $1::text::uuid, $2::text::uuid, address, id FROM named),
event AS (
    INSERT INTO consent.event (brand_id, id, action, account_id, channel, person_id,
        purpose, scope, held_scope, purposes, sealed, recorded_at, outcome)
    SELECT $1::text::uuid, gen_random_uuid(), 'grant', $2::text::uuid, 'telegram', id,
        'marketing', 'purpose', 'purpose', '{marketing}', '', now(), 'granted'
    FROM named RETURNING id, seq, person_id)
INSERT INTO consent.state (brand_id, account_id, purpose, address, status, event_id, seq, since,
    person_id)
SELECT $1::text::uuid, $2::text::uuid, 'marketing', n.address, 'granted', e.id, e.seq, now(), n.id
FROM event e JOIN named n ON n.id = e.person_id
"""


@asynccontextmanager
async def a_brand(
    processes: Processes, owner_url: str, *, per_second: float = 2_000
) -> AsyncIterator[Brand]:
    """Make a brand with a connected bot, both at no less than `per_second`."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=200),
        timeout=aiohttp.ClientTimeout(total=20),
        trust_env=False,
    ) as http:
        brand = Brand(http, processes, owner_url, key=processes.operator_key)
        made = await brand.call("POST", "/v1/brands", body=_BRAND)
        brand.id, brand.key = made["id"], made["api_key"]
        await brand.open_account(per_second=per_second)
        try:
            yield brand
        finally:
            await brand.control("DELETE", "faults")
            await brand.control("POST", "gate", {"hold": False})


_BRAND = {
    "name": "Aurora",
    "country": "IT",
    "languages": ["it", "en"],
    "timezone": "Europe/Rome",
}
STORY = {"title": "Autunno", "language": "it", "frames": [{"text": "Ciao"}]}
