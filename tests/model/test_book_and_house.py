"""Whatever people and brands do, in any order: the house, the platform and a page of a book agree.

Real services, a real PostgreSQL, the simulated Telegram. After each step the registry answers as
the book does, about every purpose on every account. At the end of an example the platform's log
says the same: each message of the brand that was taken was allowed by the book when it left, once,
and each that was allowed was taken.
"""

import asyncio
import logging
import os
import random
import sys
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field, replace
from itertools import count
from threading import Lock
from typing import Any

import asyncpg
import hypothesis
import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyFailure
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from tests.house import House, a_house
from tests.model import deeds, sends
from tests.model.book import ACCOUNTS, Page
from tests.model.deeds import DRAWS, Draw, Turn
from tests.model.faults import ALWAYS, FAULTS
from tests.model.street import STEP, Line, Owner, Street
from tests.postgres import Urls

EXAMPLES, STEPS = int(os.environ.get("PERMESSO_TEST_EXAMPLES", "100")), 50
SEED = int(os.environ.get("PERMESSO_TEST_SEED", "0")) or random.randrange(1, 2**32)
"""Of the first street; the others count on from it."""
PLANTED = FAULTS if os.environ.get("PERMESSO_TEST_FAULTS") == "all" else ALWAYS
STREETS = 4
PEOPLE = 3
pytestmark = pytest.mark.timeout(1_800)


@dataclass
class Run:
    """What the streets of a run share: how many examples were begun, and what was red."""

    examples: int = 0
    red: bool = False
    seen: list[AssertionError] = field(default_factory=list)
    """Disagreements, the first one first."""
    starting: Lock = field(default_factory=Lock)
    """For one at a time: Hypothesis reads sources, and Python 3.11 cannot parse in two threads."""


class Agreement(RuleBasedStateMachine):
    """Three people and their brand."""

    line: Line
    street: Street
    shared: Run
    started: Callable[[], None]
    addresses: Sequence[str] = ()

    @initialize(asks_twice=st.booleans())
    def meet(self, asks_twice: bool) -> None:
        self.started()
        self.shared.examples += not self.shared.red
        self.since = self.street.telegram.log.last_seq
        self.addresses = self.line.run(self.street.begin(asks_twice=asks_twice, people=PEOPLE))
        self.pages = [Page(asks_twice) for _ in self.addresses]
        self.sent: list[sends.Sent] = []

    @rule(draw=DRAWS)
    def step(self, draw: Draw) -> None:
        self._do(self._step, draw)

    def _do(self, work: Callable[..., Coroutine[Any, Any, None]], *given: Any) -> None:
        """Do it, unless another street was red meanwhile."""
        try:
            if not self.shared.red:
                self.line.run(work(*given))
        except AssertionError as error:
            self.shared.seen.append(error)
            raise

    async def _step(self, draw: Draw) -> None:
        everybody = list(zip(self.addresses, self.pages, strict=True))
        address, page = everybody[draw.who]
        await self.street.pass_time(STEP)
        turn = Turn(self.street, draw, address, page, self.sent, everybody)
        await deeds.BY_NAME[draw.deed](turn)
        self._compare(await self.street.states(self.addresses))

    def _compare(self, found: dict[tuple[str, str], list[str]]) -> None:
        now = self.street.now()
        for (account, purpose), answers in found.items():
            read = [page.answer(account, purpose, now=now) for page in self.pages]
            assert answers == read, (account, purpose)

    def teardown(self) -> None:
        """The platform's log, and what is on the phones, are what the book says."""
        self._do(self._look_back)

    async def _look_back(self) -> None:
        for address in self.addresses:
            await self.street.still(address)
        self._compare(await self.street.answers(self.addresses))
        log = self.street.telegram.log
        calls = sends.taken(log, self.since, self.addresses)
        sends.compare(calls, self.sent, dict(self.street.bots))
        shown = [m for a in self.addresses for b in ACCOUNTS for m in self.street.shown(a, b)]
        assert len(shown) == len(calls)


async def _open(house: House, urls: Urls, number: int) -> Street:
    """Open a street: a brand of its own, with two bots that know no limits."""
    bots = {account: str(8_000_000 + 10 * number + n) for n, account in enumerate(ACCOUNTS)}
    first, second = (f"{bot}:AAE-sandbox_token_of_a_street_{bot}" for bot in bots.values())
    brand = replace(house)
    await brand.open_brand(token=first)
    assert brand.account_id is not None
    accounts = (brand.account_id, await brand.open_account(token=second))
    owner = Owner(await asyncpg.connect(urls.owner))
    return Street(brand, owner, bots, dict(zip(ACCOUNTS, accounts, strict=True)))


@pytest.fixture(scope="module")
def town(cluster):
    """A house on a line of its own, and the way to open streets in it."""
    line, stack, urls = Line(), AsyncExitStack(), asyncio.run(cluster.make())

    async def open_it() -> House:
        # What the pace of a platform is, other tests know; here it would only take time.
        house = await stack.enter_async_context(a_house(urls, pacing=False))
        house.telegram.set_limits(None, {"per_second": 0, "chat_per_second": 0})
        return house

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    house, numbers = line.run(open_it()), count()
    yield line, lambda: line.run(_open(house, urls, next(numbers)))
    line.run(stack.aclose())
    line.end()
    structlog.reset_defaults()
    asyncio.run(cluster.drop(urls))


@pytest.fixture
def streets(town):
    """Streets of this test's own."""
    line, open_one = town
    opened = [open_one() for _ in range(STREETS)]
    yield line, opened
    for street in opened:
        line.run(street.owner.connection.close())


def walk(line: Line, street: Street, shared: Run, examples: int, seed: int, phases: Any) -> None:
    """Let an agreement be tried on one street, until it, or another one, is red."""
    with ExitStack() as starting:
        starting.enter_context(shared.starting)
        its_own = {"line": line, "street": street, "shared": shared, "started": starting.close}
        machine = type("Agreement", (Agreement,), its_own)
        run_machine(
            hypothesis.seed(seed)(machine),
            settings=settings(
                max_examples=examples,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                phases=phases,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )


def walk_all(streets: Any, seed: int, phases: Any, shared: Run) -> None:
    """Walk all streets at once; raise what was red first."""
    line, opened = streets
    # Nobody is there yet; what Hypothesis reads once is read.
    walk(line, opened[0], Run(red=True), 2, seed, phases)
    with ThreadPoolExecutor(len(opened)) as threads:
        walks = [
            threads.submit(
                walk, line, street, shared, EXAMPLES // len(opened), seed + number, phases
            )
            for number, street in enumerate(opened)
        ]
        found = [error for each in as_completed(walks) if (error := _end(each, shared))]
    for error in found[:1]:
        error.add_note(f"To walk like this again: PERMESSO_TEST_SEED={seed}")
        raise error


def _end(walked: Future[None], shared: Run) -> BaseException | None:
    """Return what a street was red with; the others need not go on then."""
    error = walked.exception()
    shared.red = shared.red or error is not None
    return error


def test_the_house_and_the_book_agree(streets):
    walk_all(streets, SEED, [Phase.generate, Phase.shrink], shared := Run())

    assert shared.examples >= EXAMPLES // STREETS * STREETS


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_seen(fault, streets, monkeypatch):
    """What the machine is worth: without this rule of the house it turns red."""
    FAULTS[fault](monkeypatch)
    shared = Run()
    with pytest.raises((AssertionError, FlakyFailure)):
        walk_all(streets, 1, [Phase.generate], shared)

    assert shared.seen
    sys.stdout.write(f"{fault}: red in example {shared.examples}: {shared.seen[0]}\n")
