"""A campaign to 20,000 people while everything is killed with -9 again and again."""

import asyncio
import os
import random
from collections import Counter

import pytest

from tests.failures.album import an_album
from tests.failures.checks import at_most_once, ended
from tests.failures.kills import DISPATCHERS, Killer, orders
from tests.failures.rows import lost_in_flight

KILLS = int(os.environ.get("PERMESSO_TEST_KILLS", "42"))
pytestmark = pytest.mark.timeout(300 + 12 * KILLS)
ACCOUNTS = 8
TEXTS, ALBUMS = 2_000, 500
"""People of each account."""
PEOPLE = ACCOUNTS * (TEXTS + ALBUMS)
WINDOW = 96


async def story_of(brand):
    """An album with a call to action for some, one text for the others, by their language."""
    story = await an_album(brand)
    return {**story, "variants": {"en": {"frames": [{"text": "The first grapes are here"}]}}}


class Watching:
    """Reads a campaign all the while: its totals add up at each look, and never go back."""

    def __init__(self, brand, campaign):
        self.brand, self.campaign = brand, campaign
        self.done = self.accepted = 0

    async def run(self):
        while True:
            if found := await self.brand.look(self.campaign):
                assert found["totals"]["accepted"] >= self.accepted, found
                self.accepted = found["totals"]["accepted"]
                self.done = ended(found["totals"])
            await asyncio.sleep(0.1)

    async def see(self, share, *, within=120):
        """Wait until so much of what is left now has come to an end."""
        done = self.done + int(share * (PEOPLE - self.done))
        try:
            async with asyncio.timeout(within):
                while self.done < done:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"stands still at {self.done}, {done} expected") from None


async def test_nobody_twice_nobody_lost(processes, durable, brand, tell):
    seed = int(os.environ.get("PERMESSO_TEST_SEED") or random.randrange(10**6))
    told = f"seed {seed}"
    tell(f"{told}: {KILLS} kills")
    texts, albums = await an_audience(brand)
    story = await story_of(brand)
    processes.start("dispatcher_2")
    await processes.ready("dispatcher_2")
    killer = Killer(processes, durable)
    campaign = await brand.launch(story, accounts=brand.accounts)
    watching = Watching(brand, campaign)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each()) for each in (watching.run, killer.watch)]
        for order in orders(random.Random(seed), KILLS):
            await watching.see(order.share)
            await killer.carry_out(order)
        totals = await brand.finished(campaign, within=240)
        for task in tasks:
            task.cancel()
    lost = await lost_in_flight(brand, campaign)
    blamed, unexplained = killer.blame(lost)
    sent = [entry for entry in await brand.log() if entry.is_message]
    seconds = (max(e.at_ns for e in sent) - min(e.at_ns for e in sent)) / 1e9
    got = Counter((e.account, e.address, e.method, text_of(e)) for e in sent)
    reached = Counter((e.account, e.address) for e in sent)
    in_doubt = {each.address for each in lost}
    tell(
        f"{Counter(kill.victim for kill in killer.kills)}; {totals['sent']} sent, "
        f"{totals['unknown']} unknown and {totals['partial']} partial, of which the platform had "
        f"taken {sum(address in in_doubt for _, address in reached)}; {brand.polls} looks added "
        f"up; {len(sent) / seconds:.0f} a second, outages included; ended by themselves: "
        f"{dict(killer.ended)}"
    )
    tell(f"in doubt per kill: {[(k.victim, blamed[k]) for k in killer.kills if blamed[k]]}")

    at_most_once(got)
    assert len({e.digest for e in sent if e.method == "sendMessage"}) == 2, "each text is its own"
    assert totals["accepted"] == PEOPLE, told
    assert totals["sent"] + totals["unknown"] + totals["partial"] == PEOPLE, (told, totals)
    assert len(lost) == totals["unknown"] + totals["partial"], told
    assert unexplained == [], told
    assert max(blamed.values(), default=0) <= WINDOW, told
    # Who is called reached was, by all that the story has for them.
    parts = {a: 1 for a in texts} | {a: 2 for a in albums}
    short = {a for (_, a), n in reached.items() if a not in in_doubt and n != parts[a]}
    assert short == set(), told
    certain = {a for _, a in reached} - in_doubt
    assert len(certain) == totals["sent"] == PEOPLE - len(in_doubt), told
    killed = {kill.victim for kill in killer.kills}
    assert killed >= {"consent", "gateway", "postgres"}
    assert killed & set(DISPATCHERS)


def text_of(entry):
    """What tells two parts apart; an album's words come as bytes once, and by reference then."""
    return entry.digest if entry.method == "sendMessage" else ""


async def an_audience(brand):
    """People of each account who get a text, and who get an album."""
    while len(brand.accounts) < ACCOUNTS:
        await brand.open_account(per_second=2_000)
    texts, albums = [], []
    for account in brand.accounts:
        texts += await brand.people(TEXTS, account=account, language="en")
        albums += await brand.people(ALBUMS, account=account)
    return texts, albums
