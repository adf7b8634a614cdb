"""Whatever people and brands do, in any order: the house, the platform and a page of a book agree.

Real services, a real PostgreSQL, the simulated Telegram. After each step the registry answers as
the book does; each message that was taken by the platform was allowed by the book when it left, and
the other way round; a person who was told that it is over got nothing afterwards.
"""

import asyncio
import os
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, cycle
from threading import Thread
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from tests.house import BOT, House, a_house
from tests.model.book import MARKETING, PURPOSES, TOPIC, Page

EXAMPLES, STEPS = int(os.environ.get("PERMESSO_TEST_EXAMPLES", "15")), 50
"""Eight seconds each on two processors: fifteen by themselves, two hundred before a release."""
pytestmark = pytest.mark.timeout(1_200)
PEOPLE = st.integers(0, 2)
PURPOSE = st.sampled_from(PURPOSES)
ENDS = ("sent", "withheld", "refused", "unknown", "cancelled")


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
class Street:
    """The house with its people, and what was posted to it."""

    house: House
    owner: asyncpg.Connection
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    posted: list[dict[str, Any]] = field(default_factory=list)
    second: int = 0

    def next_second(self) -> int:
        """Return a second of the platform's clock: after ours, and after all that were told."""
        self.second = max(self.second, int(datetime.now(UTC).timestamp())) + 1
        return self.second

    async def write(self, address: str, text: str, *, at: int) -> None:
        """Let Telegram post what a person wrote at that second."""
        number = next(self.numbers)
        sender = {"id": int(address), "is_bot": False, "first_name": "Ada", "language_code": "it"}
        message = {
            "message_id": 100_000 + number,
            "from": sender,
            "chat": {"id": int(address), "type": "private", "first_name": "Ada"},
            "date": at,
            "text": text,
        }
        await self.post({"update_id": 100_000 + number, "message": message})

    async def post(self, update: dict[str, Any]) -> None:
        """Post an update, perhaps not for the first time, and wait until it was carried out."""
        self.posted.append(update)
        secret = self.house.telegram.account(BOT).webhook.secret
        answer = await self.house.api.post(
            f"/webhooks/telegram/{self.house.account_id}",
            json=update,
            headers={"x-telegram-bot-api-secret-token": secret},
        )
        assert answer.status_code == 200, answer.text
        while await self.owner.fetchval("SELECT count(*) FROM gateway.work"):
            await asyncio.sleep(0.005)

    async def send(self, address: str, purpose: str, text: str) -> str:
        """Send one message; return what became of it."""
        body = {
            "account_id": str(self.house.account_id),
            "address": address,
            "purpose": purpose,
            "content": {"text": text},
        }
        made = await self.house.call("POST", "/v1/messages", json=body)
        async with asyncio.timeout(30):
            while True:
                message = await self.house.call("GET", f"/v1/messages/{made['id']}")
                if message["status"] in ENDS:
                    return str(message["status"])
                await asyncio.sleep(0.01)

    async def answers(self, purpose: str, addresses: list[str]) -> list[str]:
        """Return what the registry says of each address."""
        body = {
            "account_id": str(self.house.account_id),
            "purpose": purpose,
            "addresses": addresses,
        }
        found = await self.house.call("POST", "/v1/consents/check", json=body)
        return [each["reason"] for each in found["results"]]

    def texts(self, address: str) -> list[str]:
        """Return what the brand put on a phone, in order."""
        return [shown["text"] for shown in self.house.shown(address)]


class Agreement(RuleBasedStateMachine):
    """Three people and their brand."""

    line: Line
    street: Street

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.line.run(work)

    @initialize()
    def meet(self) -> None:
        self.addresses: list[str] = self.street.house.telegram.make_people(BOT, count=3)
        self.pages = [Page() for _ in self.addresses]
        self.sent: list[list[str]] = [[] for _ in self.addresses]
        self.street.posted.clear()
        self.turns = cycle(PURPOSES)
        self.texts = (f"Novità {n}" for n in count(1))

    @rule(who=PEOPLE, purpose=PURPOSE)
    def agree_by_api(self, who: int, purpose: str) -> None:
        answer = self._consent(who, "grant", purpose)
        assert answer["state"] == "granted"
        assert self.pages[who].grant(purpose, at=None)

    @rule(who=PEOPLE, purpose=PURPOSE)
    def agree_for_a_moment(self, who: int, purpose: str) -> None:
        """A yes that ends: the moment it does, it is none."""
        ends = datetime.now(UTC) + timedelta(seconds=0.2)
        answer = self._consent(who, "grant", purpose, expires_at=ends.isoformat())
        if answer["state"] == "granted":  # It may have taken longer than it was good for.
            self.pages[who].grant(purpose, at=None, ends=ends)
        left = (ends - datetime.now(UTC)).total_seconds()
        self.run(asyncio.sleep(max(0.0, left) + 0.02))

    @rule(who=PEOPLE, purpose=PURPOSE, wide=st.booleans())
    def take_back_by_api(self, who: int, purpose: str, wide: bool) -> None:
        answer = self._consent(who, "revoke", purpose, scope="channel" if wide else "purpose")
        # Wider than its purpose, a no takes all of marketing, and service where it is named.
        taken = ({purpose} - {TOPIC}) | {MARKETING} if wide else {purpose}
        self.pages[who].revoke(*taken, at=_moment(answer["effective_at"]))

    @rule(who=PEOPLE, text=st.sampled_from(("STOP", "non voglio più ricevere messaggi")))
    def say_stop(self, who: int, text: str) -> None:
        second = self.street.next_second()
        self.run(self.street.write(self.addresses[who], text, at=second))
        self.pages[who].revoke(MARKETING, at=_at(second))

    @rule(who=PEOPLE)
    def say_start(self, who: int) -> None:
        second = self.street.next_second()
        self.run(self.street.write(self.addresses[who], "START", at=second))
        self.pages[who].grant(MARKETING, at=_at(second))

    @rule(who=PEOPLE, ago=st.integers(1, 30), text=st.sampled_from(("START", "STOP")))
    def be_late(self, who: int, ago: int, text: str) -> None:
        """Something that was said before what came before it."""
        second = self.street.next_second() - ago
        self.run(self.street.write(self.addresses[who], text, at=second))
        if text == "STOP":
            self.pages[who].revoke(MARKETING, at=_at(second))
        else:
            self.pages[who].grant(MARKETING, at=_at(second))

    @rule(who=PEOPLE)
    def be_overtaken(self, who: int) -> None:
        """A yes that was on its way while its person said no, and arrives after it."""
        earlier, later = self.street.next_second(), self.street.next_second()
        self.run(self.street.write(self.addresses[who], "STOP", at=later))
        self.pages[who].revoke(MARKETING, at=_at(later))
        self.run(self.street.write(self.addresses[who], "START", at=earlier))
        self.pages[who].grant(MARKETING, at=_at(earlier))
        self._compare(MARKETING)

    @rule(which=st.randoms(use_true_random=False))
    def repeat_a_webhook(self, which: Any) -> None:
        """What comes again changes nothing, whatever came in between."""
        if self.street.posted:
            self.run(self.street.post(which.choice(self.street.posted)))

    @rule(who=PEOPLE)
    def talk(self, who: int) -> None:
        second = self.street.next_second()
        self.run(self.street.write(self.addresses[who], "A che ora aprite?", at=second))

    @rule(who=PEOPLE)
    def be_erased(self, who: int) -> None:
        """Nothing is known of them any more, but that they want nothing."""
        erased = self.run(self._erase(self.addresses[who]))
        if erased is not None:
            self.pages[who].erase(at=_moment(erased["erased_at"]))

    @rule(purpose=PURPOSE)
    def bring_a_file(self, purpose: str) -> None:
        rows = [f"{address},till,Sì" for address in self.addresses]
        told = "\n".join(["address,source,wording", *rows])
        self.run(self._import(purpose, told))
        for page in self.pages:
            page.list_in_file(purpose, now=datetime.now(UTC))

    @rule(who=PEOPLE, purpose=PURPOSE)
    def send(self, who: int, purpose: str) -> None:
        text = next(self.texts)
        allowed = self.pages[who].answer(purpose, now=datetime.now(UTC)) == "granted"
        ended = self.run(self.street.send(self.addresses[who], purpose, text))
        assert ended == ("sent" if allowed else "withheld")
        if allowed:
            self.sent[who].append(text)

    @rule(who=PEOPLE)
    def send_while_they_say_stop(self, who: int) -> None:
        """It may arrive or not; after the confirmation it does not."""
        text, address = next(self.texts), self.addresses[who]
        allowed = self.pages[who].answer(MARKETING, now=datetime.now(UTC)) == "granted"
        second = self.street.next_second()

        async def both() -> str:
            sending = asyncio.create_task(self.street.send(address, MARKETING, text))
            await self.street.write(address, "STOP", at=second)
            return await sending

        ended = self.run(both())
        self.pages[who].revoke(MARKETING, at=_at(second))
        if ended == "sent":
            assert allowed
            self.sent[who].append(text)
            confirmed = self.run(self._confirmed(address))
            shown = self.street.texts(address)
            assert shown.index(text) < confirmed

    @invariant()
    def the_registry_answers_as_the_book(self) -> None:
        """About one purpose after each step, and about all of them at the end."""
        self._compare(next(self.turns))

    def teardown(self) -> None:
        """On the phones is what was sent, once each, and nothing else of marketing."""
        for purpose in PURPOSES:
            self._compare(purpose)
        for address, sent in zip(self.addresses, self.sent, strict=True):
            news = [text for text in self.street.texts(address) if text.startswith("Novità")]
            assert news == sent

    def _compare(self, purpose: str) -> None:
        answers = self.run(self.street.answers(purpose, self.addresses))
        now = datetime.now(UTC)
        assert answers == [page.answer(purpose, now=now) for page in self.pages], purpose

    def _consent(self, who: int, action: str, purpose: str, **more: Any) -> Any:
        return self.run(
            self.street.house.consent(self.addresses[who], action, purpose=purpose, **more)
        )

    async def _erase(self, address: str) -> Any:
        """Erase whoever is at an address; None where nobody is known there."""
        asked = {"account_id": str(self.street.house.account_id), "address": address}
        found = await self.street.house.call("GET", "/v1/people", params=asked)
        if not found["items"]:
            return None
        return await self.street.house.call("DELETE", f"/v1/people/{found['items'][0]['id']}")

    async def _import(self, purpose: str, told: str) -> None:
        made = await self.street.house.call(
            "POST",
            "/v1/consents/imports",
            params={"account_id": str(self.street.house.account_id), "purpose": purpose},
            content=told.encode(),
            headers={"content-type": "text/csv"},
        )
        assert made["rows"] == len(self.addresses), made

    async def _confirmed(self, address: str) -> int:
        """Return the place of the newest reply on the phone."""
        replies = await self.street.house.until(lambda: self._replies(address))
        return max(self._replies(address)) if replies is None else 0

    def _replies(self, address: str) -> list[int]:
        texts = self.street.texts(address)
        return [n for n, text in enumerate(texts) if not text.startswith("Novità")]


def _at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _moment(told: str) -> datetime:
    return datetime.fromisoformat(told)


@pytest.fixture
def street(urls):
    """A house on a line of its own, whose brand takes a yes in the chat at its word."""
    line, stack = Line(), AsyncExitStack()

    async def open_it() -> Street:
        house = await stack.enter_async_context(a_house(urls))
        await house.open_brand()
        await house.call("PATCH", "/v1/policy", json={"double_opt_in": False})
        owner = await asyncpg.connect(urls.owner)
        stack.push_async_callback(owner.close)
        return Street(house, owner)

    Agreement.line = line
    Agreement.street = line.run(open_it())
    yield Agreement.street
    line.run(stack.aclose())
    line.end()


@pytest.mark.usefixtures("street")
def test_the_house_and_the_book_agree():
    run_machine(
        Agreement,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
